#include "actors/stream_core.hpp"

#include <cassert>
#include <fmt/format.h>
#include <utility>

namespace troupe {

using gpu::device_failure;
using gpu::fault_kind;

stream_core::stream_core(std::string name, stream_limits limits)
  : name_(std::move(name)), limits_(limits), watch_({limits.progress, limits.pace}) {
  assert(limits.in_flight > 0);
}

stream_actions stream_core::on_work(std::string what) {
  const auto which = next_++;
  ++tally_.taken;
  if (lost_) {
    ++tally_.lost;
    return {stream_action::answer{which, lost_}};
  }
  if (in_flight_.size() >= limits_.in_flight && waiting_.size() >= limits_.waiting) {
    ++tally_.refused;
    return {stream_action::answer{
      which,
      device_failure{fault_kind::refused,
                     fmt::format("{} takes no more work: {} pieces are in flight on this stream and {} wait; send "
                                 "the next one when one of them is done",
                                 name_, in_flight_.size(), waiting_.size())}}};
  }
  waiting_.push_back({which, std::move(what), std::nullopt});
  stream_actions actions;
  enqueue_next(actions);
  return actions;
}

stream_actions stream_core::on_enqueued(std::optional<device_failure> failed, time_point now) {
  assert(enqueuing_);
  enqueuing_ = false;
  if (failed && failed->kind == fault_kind::device_lost)
    return lose(std::move(*failed));
  in_flight_.back().failed = std::move(failed);
  stream_actions actions;
  if (!std::exchange(looking_, true)) {
    (void)watch_.observe(turns(), now);
    actions.emplace_back(stream_action::look_later{});
  }
  enqueue_next(actions);
  return actions;
}

stream_actions stream_core::on_done(time_point now) {
  if (lost_)
    return {};
  assert(!in_flight_.empty());
  auto done = std::move(in_flight_.front());
  in_flight_.pop_front();
  ++finished_;
  ++(done.failed ? tally_.failed : tally_.done);
  (void)watch_.observe(turns(), now); // the next piece's time begins
  stream_actions actions{stream_action::answer{done.which, std::move(done.failed)}};
  enqueue_next(actions);
  return actions;
}

stream_actions stream_core::on_look(std::optional<device_failure> failed, time_point now) {
  looking_ = false;
  if (lost_)
    return {};
  if (failed && failed->kind == fault_kind::device_lost)
    return lose(std::move(*failed));
  if (in_flight_.empty())
    return {};
  if (watch_.observe(turns(), now))
    return lose({fault_kind::device_lost,
                 fmt::format("{} has worked on {} for longer than {:g} s: it counts as stuck", name_,
                             in_flight_.front().what, std::chrono::duration<double>(limits_.progress).count())});
  looking_ = true;
  return {stream_action::look_later{}};
}

stream_tally stream_core::tally() const {
  auto t = tally_;
  t.in_flight = static_cast<uint32_t>(in_flight_.size());
  t.waiting = static_cast<uint32_t>(waiting_.size());
  return t;
}

void stream_core::enqueue_next(stream_actions& actions) {
  if (enqueuing_ || waiting_.empty() || in_flight_.size() >= limits_.in_flight)
    return;
  in_flight_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  enqueuing_ = true;
  actions.emplace_back(stream_action::enqueue{in_flight_.back().which});
}

stream_actions stream_core::lose(device_failure why) {
  lost_ = why;
  stream_actions actions;
  for (auto* queue : {&in_flight_, &waiting_}) {
    for (const auto& p : *queue) {
      ++tally_.lost;
      actions.emplace_back(stream_action::answer{p.which, why});
    }
    queue->clear();
  }
  actions.emplace_back(stream_action::end_process{std::move(why)});
  return actions;
}

} // namespace troupe
