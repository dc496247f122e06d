#include "actors/job.hpp"

#include <caf/scoped_actor.hpp>
#include <csignal>
#include <fmt/format.h>
#include <mutex>
#include <poll.h>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

#include "actors/agent_host.hpp"
#include "actors/data_parallel.hpp"
#include "actors/mode_change.hpp"
#include "actors/node.hpp"
#include "actors/planned_faults.hpp"
#include "actors/runtime.hpp"
#include "actors/serving.hpp"
#include "actors/succession.hpp"

namespace troupe {

namespace {

using std::chrono::steady_clock;

// What all parts of a run report as one.
class whole_run {
public:
  explicit whole_run(const job_observer& to) : to_(to) {}

  job_observer observer() {
    return {[this](const step_progress& at) { committed(at); },
            [this](const epoch_progress& at) {
              auto guard = std::lock_guard{turn_};
              if (to_.on_epoch)
                to_.on_epoch({at.epoch, at.test_accuracy, at.test_loss, seconds_before_ + at.seconds});
            },
            [this](const std::string& sentence) { note(sentence); }, to_.on_event};
  }

  // Any thread.
  void note(const std::string& sentence) {
    auto guard = std::lock_guard{turn_};
    if (to_.on_note)
      to_.on_note(sentence);
  }

  // A part has ended, and the next one begins at this step.
  void change(uint64_t at) { changed_ = at; }

  void add(job_report part) {
    auto now = steady_clock::now();
    if (ended_) // from there on it has lasted, however much of it this part had
      part.seconds = std::chrono::duration<double>(now - *ended_).count();
    ended_ = now;
    report_ = report_ ? merge(std::move(*report_), part) : std::move(part);
    seconds_before_ = report_->seconds;
  }

  job_report report() && {
    report_->changes = std::move(changes_);
    return std::move(*report_);
  }

private:
  void committed(step_progress at) {
    auto guard = std::lock_guard{turn_};
    auto now = steady_clock::now();
    if (auto since = std::exchange(changed_, std::nullopt); since && last_commit_)
      changes_.emplace_back(*since, std::chrono::duration<double>(now - *last_commit_).count());
    last_commit_ = now;
    at.samples += report_ ? report_->samples : 0;
    if (to_.on_step)
      to_.on_step(at);
  }

  const job_observer& to_;
  std::mutex turn_; // whose it is to call the observer
  std::optional<job_report> report_;
  double seconds_before_ = 0;
  std::vector<std::pair<uint64_t, double>> changes_;
  std::optional<uint64_t> changed_; // and not yet gone on
  std::optional<steady_clock::time_point> last_commit_;
  std::optional<steady_clock::time_point> ended_; // the last part
};

// As the job says, not because somebody has stopped it or it was good enough.
bool has_ended(stop_reason why) {
  return why == stop_reason::epochs_done || why == stop_reason::steps_done;
}

} // namespace

// Each part is a topology of its own. The model, its optimiser's state and the data go from one to the next in memory.
expected<job_report> run_job(const job_options& options, const job_observer& observer, const std::stop_token& stop) {
  auto parts = parts_of(options);
  if (!parts)
    return tl::unexpected(parts.error());
  auto planned = planned_faults::arm(options.faults);
  if (!planned)
    return tl::unexpected(planned.error());
  auto remote = options.isolation == isolation::process || !options.nodes.empty();
  auto identity = identity_in(options.certs);
  if (!identity)
    return tl::unexpected(identity.error());
  // The worker processes of this machine know each other by it, and no other user's processes do.
  auto secret = remote && options.nodes.empty() ? draw_secret() : std::string{};
  auto whole = whole_run{observer}; // outlives every actor
  auto rt = runtime{{.network = remote, .link = {.identity = *identity, .secret = secret}}};
  auto say = [&](const supervision_report& r) {
    whole.note(to_string(r));
    if (observer.on_event)
      observer.on_event({run_event::kind::ended, r.child, r.number.value,
                         fmt::format("{}; {} {}", to_string(r.cause), r.supervisor, to_string(r.what))});
  };
  auto from = std::optional<handover>{};
  for (auto& part : *parts) {
    auto reign = std::unique_ptr<succession>{}; // outlives what it reigns over
    auto topology = data_parallel::prepare(rt, part.options, whole.observer(), part.until, from);
    if (!topology)
      return tl::unexpected(topology.error());
    auto& t = **topology;
    if (!options.standby.empty()) {
      auto begun = succession::begin(rt, options.standby, t, whole.observer().on_note);
      if (!begun)
        return tl::unexpected(begun.error());
      reign = std::move(*begun);
    }
    if (!t.leaves_off()) { // else the run is resumed behind this part
      auto report = t.run(t.tree(), stop, say);
      if (reign)
        reign->end(report ? fmt::format("it ended after {} steps", report->steps) : report.error().sentence);
      if (!report)
        return tl::unexpected(report.error());
      whole.add(*report);
      if (!t.leaves_off()) {
        if (part.until != 0 && has_ended(report->reason))
          whole.note(fmt::format("the run ended after {} steps, before the change of --switch at step {}: let it "
                                 "come earlier, or the run go on for longer",
                                 report->steps, part.until));
        break;
      }
      whole.change(part.until);
    }
    from = t.hand_over();
  }
  return std::move(whole).report();
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
  auto port = publish(rt.system(), host, options.host, options.port);
  if (!port)
    return tl::unexpected(port.error());
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
  if (!is_worker)
    if (auto may = may_listen("node", options.host, options.certs, options.insecure); !may)
      return tl::unexpected(may.error());
  auto identity = identity_in(options.certs);
  if (!identity)
    return tl::unexpected(identity.error());
  auto watcher = is_worker ? watch_parent(options.parent_pipe) : std::jthread{};
  auto link = link_settings{.identity = *identity, .secret = is_worker ? inherited_secret() : std::string{}};
  link.is_worker = is_worker;
  if (!is_worker)
    link.on_line = observer.on_note;
  auto rt = runtime{{.network = true, .link = std::move(link)}};
  auto slots = static_cast<uint32_t>(options.slots);
  if (is_worker) {
    auto host =
      rt.system().spawn<agent_host, caf::detached>(agent_host::config{slots, static_cast<uint32_t>(options.threads)});
    return serve(rt, host, options, observer, stop);
  }
  auto config = node::config{slots, {options.worker_program, options.host, options.threads, options.certs}, {}};
  config.actors = {options.types, static_cast<uint32_t>(options.actors_of_a_job)};
  config.on_note = observer.on_note;
  config.on_report = [say = observer.on_note](const supervision_report& r) {
    if (say)
      say(to_string(r));
  };
  return serve(rt, rt.system().spawn<node>(std::move(config)), options, observer, stop);
}

} // namespace troupe
