#include "actors/job.hpp"

#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <csignal>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

#include "actors/agent_host.hpp"
#include "actors/data_parallel.hpp"
#include "actors/node.hpp"
#include "actors/planned_faults.hpp"
#include "actors/runtime.hpp"

namespace troupe {

expected<job_report> run_job(const job_options& options, const job_observer& observer, const std::stop_token& stop) {
  auto planned = planned_faults::arm(options.faults);
  if (!planned)
    return tl::unexpected(planned.error());
  auto remote = options.isolation == isolation::process || !options.nodes.empty();
  auto rt = runtime{{.network = remote}};
  auto parts = data_parallel::prepare(rt, options, observer);
  if (!parts)
    return tl::unexpected(parts.error());
  auto say = [&](const supervision_report& r) {
    if (observer.on_note)
      observer.on_note(to_string(r));
  };
  return (*parts)->run((*parts)->tree(), stop, say);
}

namespace {

// Ends this process when the parent's end of the pipe closes, however the parent died. There is nobody left to end
// gracefully for: no checkpoint, no peer, nothing of the run is here.
std::jthread watch_parent(int pipe) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL); // also where this process is stopped
  return std::jthread{[pipe](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto watched = pollfd{pipe, POLLIN, 0};
      if (::poll(&watched, 1, 200) > 0)
        ::_exit(0);
    }
  }};
}

// Publishes the actor, runs until `stop` and has it leave in order.
template <class Handle>
expected<void> serve(runtime& rt, const Handle& host, const node_options& options, const node_observer& observer,
                     const std::stop_token& stop) {
  auto port = rt.system().middleman().publish(host, options.port, options.host.c_str());
  if (!port) {
    troupe::anon_send_exit(host, caf::exit_reason::user_shutdown);
    return fail(fmt::format("cannot listen on {}:{} ({}): is the port in use? Choose another one, or 0 for any",
                            options.host, options.port, caf::to_string(port.error())));
  }
  if (observer.on_ready)
    observer.on_ready(*port);
  auto on_stop = std::stop_callback{stop, [host] { troupe::anon_send(host, leave_run{}); }};
  auto waiting = caf::scoped_actor{rt.system()};
  waiting->wait_for(host);
  return {};
}

} // namespace

expected<void> run_node(const node_options& options, const node_observer& observer, const std::stop_token& stop) {
  if (options.slots < 1)
    return fail("a node needs at least 1 slot");
  auto planned = planned_faults::arm_inherited();
  if (!planned)
    return tl::unexpected(planned.error());
  auto is_worker = options.parent_pipe >= 0;
  auto watcher = is_worker ? watch_parent(options.parent_pipe) : std::jthread{};
  auto rt = runtime{{.network = true}};
  auto slots = static_cast<uint32_t>(options.slots);
  if (is_worker) {
    auto host =
      rt.system().spawn<agent_host, caf::detached>(agent_host::config{slots, static_cast<uint32_t>(options.threads)});
    return serve(rt, host, options, observer, stop);
  }
  auto config = node::config{slots, {options.worker_program, options.host, options.threads}, {}};
  config.on_note = observer.on_note;
  config.on_report = [say = observer.on_note](const supervision_report& r) {
    if (say)
      say(to_string(r));
  };
  return serve(rt, rt.system().spawn<node>(std::move(config)), options, observer, stop);
}

} // namespace troupe
