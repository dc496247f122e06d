#include "apps/troupe/progress.hpp"

#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "apps/troupe/names.hpp"

namespace troupe::command {

namespace {

// Often enough to look alive, seldom enough to cost nothing.
constexpr double seconds_between_rewrites = 0.1;
constexpr double seconds_between_lines = 2.0;

std::string plural(uint64_t count, const char* one) {
  return fmt::format("{} {}{}", with_commas(count), one, count == 1 ? "" : "s");
}

} // namespace

std::string with_commas(uint64_t number) {
  auto digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3)
    digits.insert(at - 3, ",");
  return digits;
}

std::string clock_time(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0)
    return "?";
  const auto whole = static_cast<uint64_t>(std::llround(seconds));
  const auto hours = whole / 3600;
  const auto minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

double seconds_left(uint64_t done, uint64_t remaining, double elapsed) {
  if (done == 0)
    return std::numeric_limits<double>::quiet_NaN();
  return elapsed / static_cast<double>(done) * static_cast<double>(remaining);
}

std::string step_line(const step_progress& at, double left) {
  auto line = fmt::format("epoch {}/{}  step {}/{}  loss {:.4f}  accuracy {:.1f} %", at.epoch, at.epochs, at.step,
                          at.steps_total, at.loss, 100 * at.accuracy);
  if (at.samples_per_second > 0) // not before there is something to measure
    line += fmt::format("  {} samples/s  {} left",
                        with_commas(static_cast<uint64_t>(std::llround(at.samples_per_second))), clock_time(left));
  return line;
}

std::string epoch_line(const epoch_progress& at, uint64_t epochs) {
  return fmt::format("epoch {}/{}  test accuracy {:.2f} %  test loss {:.4f}  after {}", at.epoch, epochs,
                     100 * at.test_accuracy, at.test_loss, clock_time(at.seconds));
}

std::string opening_line(const job_options& job) {
  const auto where = !job.nodes.empty()                    ? plural(job.nodes.size(), "node")
                     : job.isolation == isolation::process ? std::string{"processes of their own"}
                                                           : std::string{"this process"};
  return fmt::format("{} on {}  {} in {}  batch {}  {}, learning rate {}", job.model, job.data,
                     job.least_agents != 0 && job.least_agents != job.agents
                       ? fmt::format("{}..{} agents", job.least_agents, job.agents)
                       : plural(static_cast<uint64_t>(job.agents), "agent"),
                     where, job.batch, to_string(job.optimizer.kind), job.optimizer.learning_rate);
}

std::string closing_line(const job_options& job, const job_report& report) {
  const bool as_planned = report.reason == stop_reason::epochs_done || report.reason == stop_reason::steps_done;
  auto line = fmt::format("{} after {} in {:.1f} s  {} samples/s",
                          as_planned ? "done" : name_of(stop_reason_names, report.reason), plural(report.steps, "step"),
                          report.seconds, with_commas(static_cast<uint64_t>(std::llround(report.samples_per_second))));
  if (!report.test_accuracy.empty())
    line += fmt::format("  test accuracy {:.2f} %", 100 * report.test_accuracy.back());
  if (report.restarts > 0)
    line += fmt::format("  {}", plural(report.restarts, "restart"));
  line += "\nweights sha256 " + report.weights_sha256;
  if (!job.export_to.empty())
    line += "\nweights written to " + job.export_to;
  if (report.reason == stop_reason::interrupted && !job.checkpoint.empty())
    line += fmt::format("\ncheckpoint written to {}: add --resume to go on from it", job.checkpoint);
  return line;
}

progress::progress(progress_style style, std::function<double()> now)
  : style_(style), now_(std::move(now)), started_(now_()) {}

bool progress::due(const step_progress& at) {
  const auto between = style_.live ? seconds_between_rewrites : seconds_between_lines;
  const auto now = now_();
  if (now - last_shown_ < between && at.step != at.steps_total)
    return false;
  last_shown_ = now;
  return true;
}

void progress::show(const step_progress& at) {
  if (style_.quiet)
    return;
  epochs_ = at.epochs;
  if (first_step_ == 0)
    first_step_ = at.step;
  if (!due(at))
    return;
  const auto remaining = at.steps_total - std::min(at.step, at.steps_total);
  auto line = step_line(at, seconds_left(at.step - first_step_ + 1, remaining, now_() - started_));
  if (!style_.live) {
    say(line);
    return;
  }
  if (line.size() >= style_.columns)
    line.resize(style_.columns - 1); // a line that wraps cannot be rewritten
  fmt::print(style_.out, "\r\x1b[K{}", line);
  std::fflush(style_.out);
  line_stands_ = true;
}

void progress::show(const epoch_progress& at) {
  say(epoch_line(at, epochs_));
}

void progress::say(const std::string& line) {
  if (style_.quiet)
    return;
  clear();
  fmt::print(style_.out, "{}\n", line);
  std::fflush(style_.out);
}

void progress::clear() {
  if (!line_stands_)
    return;
  fmt::print(style_.out, "\r\x1b[K");
  std::fflush(style_.out);
  line_stands_ = false;
}

} // namespace troupe::command
