#include "actors/stream_owner.hpp"

#include <caf/init_global_meta_objects.hpp>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

#include "actors/worker_process.hpp"
#include "messages/caf.hpp"

namespace troupe {

void register_stream_messages() {
  caf::init_global_meta_objects<caf::id_block::troupe_streams>();
}

void end_process_of_lost_device(const gpu::device_failure& why) {
  const auto line = fmt::format("troupe: this process ends: {}\n", why.sentence);
  (void)std::fputs(line.c_str(), stderr);
  std::_Exit(device_lost_exit_code);
}

stream_owner::stream_owner(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), core_(c.device->name(), c.limits) {
  auto stream = config_.device->open_stream(config_.priority);
  if (!stream && stream.error().kind == gpu::fault_kind::device_lost)
    config_.on_lost(stream.error());
  if (!stream)
    throw std::runtime_error(stream.error().sentence);
  stream_ = std::move(*stream);
}

stream_owner::interface::behavior_type stream_owner::make_behavior() {
  return {
    [this](const stream_work& work) -> caf::result<stream_outcome> {
      auto promise = self_->make_response_promise<stream_outcome>();
      pieces_.emplace(next_++, piece{std::make_shared<stream_work>(work), promise});
      act(core_.on_work(work.what));
      return promise;
    },
    [this](const ask_stream&) { return core_.tally(); },
  };
}

void stream_owner::act(const stream_actions& first) {
  std::deque<stream_actions> todo{first};
  for (; !todo.empty(); todo.pop_front())
    for (const auto& action : todo.front())
      todo.push_back(std::visit([this](const auto& a) { return carry_out(a); }, action));
}

stream_actions stream_owner::carry_out(const stream_action::enqueue& a) {
  auto& work = pieces_.at(a.which).work;
  gpu::device_result<void> done;
  try {
    done = work->enqueue(*stream_);
  } catch (...) {
    (void)stream_->call_back([work] {}); // the state ends, what has been enqueued does not
    throw;
  }
  // The callback keeps what the work holds until the device is through with it, and brings it back here to be let go.
  const auto marked = stream_->call_back([now = now_, work, this]() mutable {
    now.post([work = std::exchange(work, nullptr), this] { act(core_.on_done(clock())); });
  });
  if (done && !marked)
    done = marked;
  std::optional<gpu::device_failure> failed;
  if (!done)
    failed = done.error();
  if (!marked && marked.error().kind != gpu::fault_kind::device_lost)
    throw std::runtime_error(marked.error().sentence); // nobody would hear when the work is done
  return core_.on_enqueued(std::move(failed), clock());
}

stream_actions stream_owner::carry_out(const stream_action::answer& a) {
  auto which = pieces_.extract(a.which);
  which.mapped().promise.deliver(stream_outcome{a.failed});
  return {};
}

stream_actions stream_owner::carry_out(const stream_action::end_process& a) {
  config_.on_lost(a.why);
  return {};
}

stream_actions stream_owner::carry_out(const stream_action::look_later&) {
  run_after(self_, config_.limits.pace, now_.guard([this] {
    const auto idle = stream_->idle();
    act(core_.on_look(idle ? std::nullopt : std::optional{idle.error()}, clock()));
  }));
  return {};
}

time_point stream_owner::clock() const {
  return self_->home_system().clock().now();
}

} // namespace troupe
