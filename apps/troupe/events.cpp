#include "apps/troupe/events.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace troupe::command {

namespace {

using json = nlohmann::ordered_json;

/// To the microsecond.
double now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(since).count()) / 1e6;
}

const char* name_of(run_event::kind what) {
  switch (what) {
  case run_event::kind::unreachable:
    return "unreachable";
  case run_event::kind::reachable:
    return "reachable";
  case run_event::kind::dead:
    return "dead";
  case run_event::kind::ended:
    return "ended";
  case run_event::kind::waits:
    return "waits";
  case run_event::kind::new_view:
    return "view";
  }
  return "unknown";
}

} // namespace

expected<event_log> event_log::open(const std::string& path) {
  event_log result;
  if (path.empty())
    return result;
  result.file_.reset(std::fopen(path.c_str(), "we"));
  if (!result.file_)
    return fail(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  return result;
}

void event_log::line(const std::string& text) {
  const std::lock_guard guard(*mutex_);
  fmt::print(file_.get(), "{}\n", text);
  std::fflush(file_.get()); // whoever reads along sees whole lines
}

void event_log::write(const step_progress& at) {
  if (file_)
    line(json({{"time", now()}, {"event", "step"}, {"step", at.step}}).dump());
}

void event_log::write(const run_event& what) {
  if (!file_)
    return;
  auto out = json{{"time", now()}, {"event", name_of(what.what)}};
  if (!what.who.empty())
    out["who"] = what.who;
  out["number"] = what.number;
  out["detail"] = what.detail;
  line(out.dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace troupe::command
