#include "actors/runtime.hpp"

#include <algorithm>
#include <caf/timespan.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <thread>

#include "actors/link_middleman.hpp"
#include "messages/registry.hpp"

namespace troupe {

using namespace std::chrono_literals;

runtime::runtime(runtime_options options)
  : config_(std::make_unique<link_config>(std::make_shared<const link_settings>(std::move(options.link)))) {
  register_messages();
  auto workers = options.workers != 0 ? options.workers : std::max(2u, std::thread::hardware_concurrency());
  // Work stealing polls while it is idle, on cores that the lanes need, and wakes later (docs/decisions).
  config_->set("caf.scheduler.policy", "sharing");
  config_->set("caf.scheduler.max-threads", static_cast<size_t>(workers));
  config_->set("caf.logger.console.verbosity", "quiet");
  if (options.network) {
    const auto& limits = config_->link->limits;
    link_middleman::load(*config_);
    // The thread that reads a message decodes it, too: to wake another one takes longer (docs/decisions).
    config_->set("caf.middleman.workers", size_t{0});
    config_->set("caf.middleman.heartbeat-interval", caf::timespan{1s});
    config_->set("caf.middleman.connection-timeout", caf::timespan{limits.silence});
  }
  system_ = std::make_unique<caf::actor_system>(*config_);
}

runtime::~runtime() = default;

const link_settings& runtime::link() const {
  return *config_->link;
}

expected<tree_end> runtime::run(const supervision_tree& tree, const std::stop_token& stop,
                                std::function<void()> on_stop,
                                std::function<void(const supervision_report&)> on_report) {
  auto ended = std::promise<tree_end>{};
  auto observer = tree_observer{};
  observer.on_end = [&](const tree_end& end) { ended.set_value(end); };
  observer.on_report = std::move(on_report);
  auto running = run_tree(*system_, tree, observer);
  if (!running)
    return tl::unexpected(running.error());
  auto stopping = std::stop_callback{stop, [&] {
                                       if (on_stop)
                                         on_stop();
                                       else
                                         running->stop();
                                     }};
  return ended.get_future().get();
}

} // namespace troupe
