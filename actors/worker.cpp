#include "actors/worker.hpp"

#include <chrono>

#include "messages/caf.hpp"
#include "messages/registry.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

constexpr auto look_pace = 20ms;

} // namespace

caf::behavior worker::make_behavior() {
  run_in(caf::actor{this}, [this] {
    auto port = open();
    if (!port)
      return quit(reason_of(port.error())); // the supervisor has this actor's handle
    config_.on_ready(*port, caf::actor{this});
    config_.notice.ready(caf::actor{this});
    look();
  });
  return {[this](const leave_run&) {
    leaving_ = true;
    if (process_)
      process_->terminate();
  }};
}

void worker::on_exit() {
  if (process_)
    process_->kill();
  process_.reset(); // waits for its end
  caf::event_based_actor::on_exit();
}

expected<uint16_t> worker::open() {
  auto process = worker_process::launch(config_.how);
  if (!process)
    return tl::unexpected(process.error());
  process_ = std::move(*process);
  return process_->port();
}

void worker::look() {
  if (auto how = process_->ended(0ms)) {
    config_.on_end(*how, caf::actor{this});
    quit(leaving_ ? caf::error{} : reason_of(failure{*how}));
  } else {
    run_after(this, look_pace, [this] { look(); });
  }
}

} // namespace troupe
