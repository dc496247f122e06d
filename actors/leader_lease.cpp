#include "actors/leader_lease.hpp"

#include <algorithm>
#include <charconv>

namespace troupe {
namespace {

constexpr size_t longest_name = 256; // (R13)

} // namespace

std::string job_id_of(const std::string& job, term at) {
  return at.value <= 1 ? job : job + '#' + std::to_string(at.value);
}

lead_answer leader_lease::on_claim(const claim_lead& c, time_point now) {
  if (is_over(c.job, c.term))
    return {.granted = false, .over = true, .lease_ms = 0};
  const auto had_it = job_ == c.job && term_ == c.term;
  if (c.job.size() > longest_name || !is_free_for(c.job, c.term, now) || (had_it && c.attempt < attempt_))
    return {};
  job_ = c.job;
  term_ = c.term;
  attempt_ = c.attempt;
  until_ = now + length;
  if (c.leads)
    note_led(c.job, c.term);
  return {.granted = true, .over = false, .lease_ms = static_cast<uint64_t>(length.count())};
}

void leader_lease::on_release(const release_lead& r) {
  if (r.job == job_ && r.term == term_ && r.attempt >= attempt_)
    until_ = {};
}

bool leader_lease::is_over(const std::string& job, term at) const {
  auto known = led_.find(job);
  return known != led_.end() && at < known->second;
}

bool leader_lease::is_over(const std::string& job_id) const {
  auto mark = job_id.rfind('#');
  auto at = term{1};
  if (mark == std::string::npos)
    return is_over(job_id, at);
  std::from_chars(job_id.data() + mark + 1, job_id.data() + job_id.size(), at.value);
  return is_over(job_id.substr(0, mark), at);
}

void leader_lease::note_led(const std::string& job, term at) {
  auto [known, is_new] = led_.try_emplace(job, at);
  known->second = std::max(known->second, at);
  if (!is_new)
    return;
  order_.push_back(job);
  if (order_.size() > most_jobs) {
    led_.erase(order_.front());
    order_.pop_front();
  }
}

} // namespace troupe
