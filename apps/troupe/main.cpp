/// The `troupe` command. Exit codes: 0 done (or stopped by a signal after a finished step), 1 the run failed, 2 the job
/// cannot run as described.

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "actors/audit.hpp"
#include "actors/interrupts.hpp"
#include "actors/job.hpp"
#include "actors/node_program.hpp"
#include "apps/troupe/events.hpp"
#include "apps/troupe/options.hpp"
#include "apps/troupe/ping.hpp"
#include "apps/troupe/progress.hpp"
#include "apps/troupe/report.hpp"

namespace troupe::command {

namespace {

enum exit_code { done = 0, run_failed = 1, bad_input = 2 };

int refuse(exit_code code, const failure& why) {
  fmt::print(stderr, "troupe: {}\n", why.sentence);
  return code;
}

progress_style style_of_this_terminal(bool quiet) {
  progress_style style{.live = isatty(STDOUT_FILENO) == 1, .quiet = quiet};
  winsize size{};
  if (style.live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    style.columns = size.ws_col;
  return style;
}

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// What is wrong with the request, as far as it shows before anything is started or written.
expected<void> check(const train& request) {
  for (const auto* path : {&request.report, &request.events, &request.job.export_to})
    if (!path->empty())
      if (auto writable = can_write(*path); !writable)
        return writable;
  return validate(request.job);
}

/// Shows a run, and writes down what happens in it. Both outlive it.
job_observer observer_of(progress& shown, event_log& events) {
  return {.on_step =
            [&](const step_progress& at) {
              shown.show(at);
              events.write(at);
            },
          .on_epoch = [&](const epoch_progress& at) { shown.show(at); },
          .on_note = [&](const std::string& note) { shown.say(note); },
          .on_event = [&](const run_event& e) { events.write(e); }};
}

int run(const train& request) {
  if (const auto checked = check(request); !checked)
    return refuse(bad_input, checked.error());
  if (request.print_tree) {
    const auto tree = describe_tree(request.job);
    if (!tree)
      return refuse(bad_input, tree.error());
    fmt::print("{}", *tree);
    return done;
  }
  const interrupts interrupted(ended_by::signals);
  progress shown(style_of_this_terminal(request.quiet), monotonic_seconds);
  shown.say(opening_line(request.job));
  auto events = event_log::open(request.events);
  if (!events)
    return refuse(bad_input, events.error());
  bool started = false;
  auto observer = observer_of(shown, *events);
  observer.on_step = [&, show = observer.on_step](const step_progress& at) {
    started = true;
    show(at);
  };
  const auto report = run_job(request.job, observer, interrupted.token());
  shown.clear();
  // What stands in the way of the first step is the input's fault: a port in use, a node of another version.
  if (!report)
    return refuse(started ? run_failed : bad_input, report.error());
  if (!request.report.empty()) {
    const auto written = write_report(request.report, report_of(request.job, *report, measure_peak_memory()));
    if (!written)
      return refuse(run_failed, written.error());
  }
  shown.say(closing_line(request.job, *report));
  return done;
}

int run(const node& request) {
  return serve_as_node(request.options, "troupe");
}

int run(const standby& request) {
  for (const auto* path : {&request.report, &request.events, &request.options.export_to})
    if (!path->empty())
      if (const auto writable = can_write(*path); !writable)
        return refuse(bad_input, writable.error());
  const interrupts interrupted(ended_by::signals);
  progress shown(style_of_this_terminal(false), monotonic_seconds);
  auto events = event_log::open(request.events);
  if (!events)
    return refuse(bad_input, events.error());
  bool ready = false;
  job_options job;
  const standby_observer observer{.on_ready =
                                    [&](uint16_t port) {
                                      ready = true;
                                      shown.say(fmt::format("standby ready on {}:{}", request.options.host, port));
                                    },
                                  .on_note = [&](const std::string& note) { shown.say(note); },
                                  .on_lead =
                                    [&](const job_options& what, uint64_t step) {
                                      job = what;
                                      shown.say(fmt::format("leads from step {} on: {}", step, opening_line(job)));
                                    },
                                  .job = observer_of(shown, *events)};
  const auto ended = run_standby(request.options, observer, interrupted.token());
  shown.clear();
  if (!ended)
    return refuse(ready ? run_failed : bad_input, ended.error());
  if (!ended->job_ended.empty())
    shown.say(fmt::format("the job has ended, and nobody had to take over: {}", ended->job_ended));
  if (!ended->report)
    return done;
  if (!request.report.empty()) {
    const auto written = write_report(request.report, report_of(job, *ended->report, measure_peak_memory()));
    if (!written)
      return refuse(run_failed, written.error());
  }
  shown.say(closing_line(job, *ended->report));
  return done;
}

int run(const audit& request) {
  const auto found = audit_ledger(request.folder);
  if (!found)
    return refuse(bad_input, found.error());
  fmt::print("{}", to_string(*found));
  return found->is_good() ? done : run_failed;
}

int run(const certs& request) {
  const auto made = make_certificates(request.order);
  if (!made)
    return refuse(bad_input, made.error());
  for (const auto& folder : *made)
    fmt::print("made {}\n", folder.string());
  return done;
}

int run(const ping_command& request) {
  const ping_table table(request.options.nodes);
  auto all = std::vector<pinged>{};
  const auto asked = ping_nodes(request.options, [&](const pinged& link) {
    if (!link.figures)
      fmt::print(stderr, "troupe: {}\n", link.figures.error().sentence);
    else if (!request.json)
      fmt::print("{}{}",
                 std::ranges::any_of(all, [](const auto& each) { return each.figures.has_value(); }) ? std::string{}
                                                                                                     : table.head(),
                 table.row(link));
    std::fflush(stdout);
    all.push_back(link);
  });
  if (!asked)
    return refuse(bad_input, asked.error());
  if (request.json)
    fmt::print("{}", to_json(all));
  return std::ranges::all_of(all, [](const auto& each) { return each.figures.has_value(); }) ? done : run_failed;
}

int run(const print_text& request) {
  fmt::print("{}", request.text);
  return done;
}

} // namespace

} // namespace troupe::command

int main(int count, char** arguments) {
  using namespace troupe::command;
  const auto request = parse({arguments + 1, arguments + count});
  if (!request)
    return refuse(bad_input, request.error());
  return std::visit([](const auto& each) { return run(each); }, *request);
}
