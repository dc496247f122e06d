#include "actors/leadership.hpp"

#include <algorithm>

namespace troupe {
namespace {

// A voter says how long its lease is, and not more than this is believed.
constexpr auto longest_lease = std::chrono::seconds{10};

} // namespace

void leadership::want(bool it, time_point now) {
  if (it && !wanted_)
    begin_round(now);
  wanted_ = it;
}

void leadership::begin_round(time_point now) {
  round_began_ = now;
  ++attempt_;
}

// Who has said that it leads has to go on: others may have given up upon that.
bool leadership::rests(time_point now) {
  if (leads_)
    return false;
  if (!wanted_)
    return true;
  if (!options_.yields)
    return false;
  if (now >= round_began_ + 2 * round)
    begin_round(now);
  return now >= round_began_ + round;
}

leadership::word leadership::due(size_t voter, time_point now) {
  auto& v = asked_[voter];
  if (over_)
    return {};
  if (rests(now)) {
    if (!v.sent)
      return {};
    v = {};
    return release();
  }
  auto since = leads_ && v.said_leads ? pace : hurry;
  if (v.sent && now < *v.sent + since && v.said_leads == leads_)
    return {};
  v.sent = now;
  v.said_leads = leads_;
  return claim_lead{options_.job, options_.term, attempt_, leads_};
}

void leadership::on_answer(size_t voter, const claim_lead& what, time_point sent, const lead_answer& a,
                           time_point now) {
  over_ = over_ || a.over;
  auto& v = asked_[voter];
  if (!a.granted || what.attempt != attempt_ || !v.sent)
    return; // or it was given up meanwhile
  auto lease = std::min<std::chrono::milliseconds>(
    longest_lease, std::chrono::milliseconds{std::min<uint64_t>(a.lease_ms, 1'000'000)});
  auto until = sent + lease - margin;
  v.granted_until = std::max(v.granted_until, until);
  if (what.leads)
    v.led_until = std::max(v.led_until, until);
  leads_ = leads_ || holds(now, &answers::granted_until);
}

bool leadership::holds(time_point now, time_point answers::*until) const {
  auto voters = std::min(options_.voters, asked_.size());
  auto granted = std::count_if(asked_.begin(), asked_.begin() + static_cast<std::ptrdiff_t>(voters),
                               [&](auto& v) { return now < v.*until; });
  return !over_ && static_cast<size_t>(granted) > voters / 2;
}

} // namespace troupe
