#include "actors/spawner.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "actors/message_types.hpp"
#include "actors/version.hpp"
#include "supervision/exit_reason.hpp"

namespace troupe {
namespace {

constexpr auto grace = std::chrono::seconds{5};

spawner_core::options options_of(const spawner::config& c) {
  auto result = spawner_core::options{};
  for (auto& type : c.types)
    result.types.push_back(type.name);
  result.messages = own_message_types();
  result.most = c.most;
  auto program = c.program.empty() ? name_of_this_program() : c.program;
  result.program = fmt::format("{} (troupe {})", program, troupe_version);
  return result;
}

} // namespace

std::string name_of_this_program() {
  auto path = std::array<char, 4096>{};
  auto n = ::readlink("/proc/self/exe", path.data(), path.size());
  auto whole = std::string(path.data(), static_cast<size_t>(std::max<ssize_t>(n, 0)));
  return whole.substr(whole.rfind('/') + 1);
}

spawner::spawner(caf::actor_config& cfg, config c)
  : spawner_actor::base(cfg), config_(std::move(c)), core_(options_of(config_)) {
  // nop
}

spawner_actor::behavior_type spawner::make_behavior() {
  on_exit_message(this, [this](caf::exit_msg& m) {
    if (m.reason == caf::exit_reason::kill)
      quit(m.reason);
    else
      leave();
  });
  return {
    [this](const spawn_actor& what) { return spawn_here(what); },
    [this](const leave_run&) { leave(); },
  };
}

actor_spawned spawner::spawn_here(const spawn_actor& what) {
  auto near_end = current_sender();
  if (!near_end || !what.supervisor)
    return {nullptr, "nobody supervises it"};
  if (leaving_)
    return {nullptr, "it is being taken out of service; name another node"};
  auto request = spawner_core::request{.job = to_string(near_end->node()),
                                       .supervisor = to_string(what.supervisor),
                                       .child = what.child,
                                       .number = what.incarnation,
                                       .type = what.type,
                                       .messages = what.messages,
                                       .argument_bytes = what.argument.size()};
  if (auto no = core_.refusal(request); !no.empty())
    return {nullptr, no};
  try {
    auto actor = start(what);
    if (!actor)
      return {nullptr, core_.no_argument(request)};
    auto begun = core_.started(request);
    if (begun.over)
      end(*begun.over, caf::exit_reason::kill);
    keep(begun.number, actor, near_end);
    return {actor, {}};
  } catch (const std::exception& e) {
    return {nullptr, fmt::format("{} could not be started: {}", what.child, e.what())};
  } catch (...) { // whatever the program's constructor throws
    return {nullptr, fmt::format("{} could not be started: its constructor threw", what.child)};
  }
}

caf::strong_actor_ptr spawner::start(const spawn_actor& what) {
  auto type = std::find_if(config_.types.begin(), config_.types.end(), [&](auto& t) { return t.name == what.type; });
  auto link =
    in_place_link{caf::actor_cast<caf::actor>(what.supervisor), what.child, what.incarnation, nullptr, nullptr};
  return type->spawn({home_system(), what.child, what.incarnation, std::move(link)},
                     std::as_bytes(std::span{what.argument}));
}

void spawner::keep(actor_number number, const caf::strong_actor_ptr& actor, const caf::strong_actor_ptr& near_end) {
  auto handle = caf::actor_cast<caf::actor>(actor);
  actors_.emplace(number, handle);
  troupe::monitor(this, handle, [this, number](const caf::error&) { ended(number); });
  troupe::monitor(this, caf::actor_cast<caf::actor>(near_end), [this, number](const caf::error& reason) {
    end(number, reason == caf::exit_reason::kill ? caf::exit_reason::kill : caf::exit_reason::user_shutdown);
  });
}

void spawner::end(actor_number number, const caf::error& reason) {
  auto found = actors_.find(number);
  if (found == actors_.end())
    return;
  troupe::anon_send_exit(found->second, reason);
  run_after(this, grace, [this, number] {
    if (auto late = actors_.find(number); late != actors_.end())
      troupe::anon_send_exit(late->second, caf::exit_reason::kill);
  });
}

void spawner::ended(actor_number number) {
  core_.ended(number);
  actors_.erase(number);
  if (leaving_ && actors_.empty())
    quit(caf::exit_reason::user_shutdown);
}

void spawner::leave() {
  if (std::exchange(leaving_, true))
    return;
  for (auto& [number, actor] : std::map{actors_})
    end(number, reason_of(failure{"its node was taken out of service"}));
  if (actors_.empty())
    quit(caf::exit_reason::user_shutdown);
}

} // namespace troupe
