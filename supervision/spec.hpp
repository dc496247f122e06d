#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/failure.hpp"

namespace troupe {

using std::chrono::nanoseconds;

/// What else stops and starts when one child has to be restarted (S2).
enum class restart_strategy : uint8_t {
  one_for_one,        ///< only the dead child
  one_for_all,        ///< all others stop in reverse order, then all start in order
  rest_for_one,       ///< those started after the dead one stop in reverse order, then it and they start
  simple_one_for_one, ///< one template, any number of dynamic children of it; they stop in parallel
};
using enum restart_strategy;

/// When a child that ended by itself is started again (S3).
enum class restart_type : uint8_t {
  permanent, ///< always, after a normal exit too
  transient, ///< unless it ended normally or by shutdown
  temporary, ///< never, not as a bystander of a group restart either; its spec and arguments are dropped
};
using enum restart_type;

/// Which ends of `significant` children end their supervisor (S7).
enum class auto_shutdown : uint8_t { never, any_significant, all_significant };
using enum auto_shutdown;

enum class child_kind : uint8_t { worker, supervisor };

/// No limit of time.
inline constexpr nanoseconds unlimited = nanoseconds::max();

/// How many restarts a supervisor grants before it gives up (S4): at most `restarts` within `period`, counted over all
/// its children, or for each of them by itself, failed attempts included. 0 is legal: the first death ends the
/// supervisor. Levels multiply: a tree of two levels with 3 and 4 restarts starts a leaf up to (3 + 1) · (4 + 1) times
/// before the root gives up.
struct restart_limit {
  uint32_t restarts = 1;
  nanoseconds period = std::chrono::seconds{5};
  bool each = false; ///< of each child; not in a group, where one restart is a restart of others, too
};

/// `at_most(3, 1min)`: a supervisor's limit of restarts.
constexpr restart_limit at_most(uint32_t restarts, nanoseconds period) {
  return {restarts, period, false};
}

/// `at_most_of_each(16, 1min)`: the same for each of its children, however many there are.
constexpr restart_limit at_most_of_each(uint32_t restarts, nanoseconds period) {
  return {restarts, period, true};
}

/// How long a supervisor waits before it starts a child again (T1, Akka's rule): min·2^k after the k-th restart in a
/// row, at most `max`, times a factor drawn from [1, 1 + jitter). k is counted per child and forgotten when the child
/// has run for `quiet`. With min = 0, the default, there is no wait.
struct restart_backoff {
  nanoseconds min{0};
  nanoseconds max = std::chrono::seconds{30};
  double jitter = 0.2;
  nanoseconds quiet = std::chrono::minutes{1};
};

/// One child, without the function that starts it.
struct child_spec {
  std::string id = {}; ///< unique within its supervisor; for roles the role id, such as "agent/0"
  restart_type restart = permanent;
  bool significant = false; ///< its own end may end the supervisor (S7); transient or temporary children only
  child_kind kind = child_kind::worker;
  /// How long it may take to end when asked, before it is killed (S6). 0: it is killed at once. Unset: 5 s for a
  /// worker, `unlimited` for a supervisor, whose children have limits of their own.
  std::optional<nanoseconds> shutdown = std::nullopt;
  /// How long it may take from its start to its report that it is ready; afterwards the start has failed. Unset: 60 s
  /// for a worker, `unlimited` for a supervisor.
  std::optional<nanoseconds> start = std::nullopt;

  [[nodiscard]] nanoseconds shutdown_time() const {
    return shutdown.value_or(kind == child_kind::worker ? nanoseconds{std::chrono::seconds{5}} : unlimited);
  }
  [[nodiscard]] nanoseconds start_time() const {
    return start.value_or(kind == child_kind::worker ? nanoseconds{std::chrono::seconds{60}} : unlimited);
  }
};

/// One supervisor and its static children in the order they start.
struct supervisor_spec {
  std::string name = {}; ///< its path in the tree for reports: "training/agents"
  restart_strategy strategy = one_for_one;
  restart_limit limit = {};
  restart_backoff backoff = {};
  /// OTP's default is `never`, with which a significant child is refused; here marking a child is enough.
  auto_shutdown on_significant = any_significant;
  /// How long a killed child may take to end before it counts as stuck (S6).
  nanoseconds kill_grace = std::chrono::seconds{5};
  uint64_t seed = 0; ///< of the back-off's jitter (R10)
  /// Static children; for `simple_one_for_one` exactly one, the template, which is not started itself.
  std::vector<child_spec> children = {};
};

/// Refuses a spec that breaks a rule, with one sentence that names the field and the combination (S8).
expected<void> validate(const supervisor_spec& spec);

/// Refuses a child that could not join `parent`; uniqueness of its id is not looked at.
expected<void> validate(const child_spec& child, const supervisor_spec& parent);

std::string_view to_string(restart_strategy strategy);
std::string_view to_string(restart_type type);
std::string_view to_string(auto_shutdown rule);

/// "1 min", "2.5 s", "300 ms", "unlimited": as short as it is exact.
std::string to_string(nanoseconds time);

} // namespace troupe
