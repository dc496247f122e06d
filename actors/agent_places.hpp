#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "actors/node_choice.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// Which agents of a job have a place on a node, and what becomes of those for which there is none: they wait, and
/// their micro-batches are taken by others. That is no failure and costs no restart. When none has had a place for too
/// long the run is hopeless. Thread-safe; time is handed in (R10). One per topology, with its leader.
class agent_places {
public:
  using time_point = node_choice::time_point;

  struct options {
    std::vector<std::string> nodes;     ///< HOST:PORT of each
    std::vector<uint32_t> homes;        ///< by agent: the node where it belongs; an agent behind these goes around them
    uint32_t must_start = 0;            ///< agents below this are refused at their first start, rather than wait
    std::chrono::milliseconds patience; ///< how long the run goes on with no agent at work
  };

  explicit agent_places(options o) : options_(std::move(o)), choice_(options_.nodes.size(), options_.homes) {}

  /// Try this node, and say what came of it: `refused`, `failed` or `started`.
  struct try_node {
    size_t node;
  };
  /// There is no place for now. Ask again then.
  struct wait {
    time_point until;
    bool begins = false; ///< it did not wait before
  };
  /// There is no place, and this agent may not wait.
  struct refuse {
    std::string sentence;
  };
  /// There is no place for any agent, and has not been for too long: the run is to end with this.
  struct give_up {
    std::string sentence;
  };
  using answer = std::variant<try_node, wait, refuse, give_up>;

  [[nodiscard]] answer next(uint32_t agent, time_point now);
  /// The node has no place: it is not reached, is another job's, is full, or cannot start a process. What the user
  /// should be told; empty: nothing, since it is not the second time or has been told.
  [[nodiscard]] std::string refused(uint32_t agent, size_t node, const std::string& why, time_point now);
  /// A start in its process has failed, or it was lost in silence.
  void failed(uint32_t agent, size_t node, const std::string& why, time_point now);
  /// It works there, in the how many-th process. What the user should be told; empty: nothing.
  [[nodiscard]] std::string started(uint32_t agent, size_t node, incarnation process);
  /// That process is gone, or is not looked for any more.
  void ended(uint32_t agent, incarnation process, time_point now);

  [[nodiscard]] const std::string& name(size_t node) const { return options_.nodes[node]; }
  /// What the nodes have said to it.
  [[nodiscard]] std::string why(uint32_t agent) const;

private:
  struct record {
    std::optional<incarnation> at_work; ///< in that process
    bool has_worked = false;
    bool waits = false;
    bool told = false;                ///< that it waits
    std::map<size_t, std::string> no; ///< what each node has said since it had a place
  };

  [[nodiscard]] bool nobody_works() const;
  [[nodiscard]] std::string reasons(const record& agent) const;
  std::string news();

  mutable std::mutex mutex_;
  options options_;
  node_choice choice_;
  std::map<uint32_t, record> agents_;
  std::optional<time_point> idle_since_; ///< nobody works; none: somebody does, or nobody has been started yet
};

} // namespace troupe
