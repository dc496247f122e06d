#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/ids.hpp"
#include "supervision/restart_window.hpp"
#include "supervision/spec.hpp"

namespace troupe {

enum class child_state : uint8_t {
  stopped,    ///< not running and not about to: terminated, or ended for good with its spec kept
  waiting,    ///< will start when those before it are ready
  restarting, ///< will start after its back-off, or after what waits in the mailbox (S5)
  starting,   ///< started, not ready yet
  running,
  stopping, ///< asked to end, or killed, and not gone yet
};

std::string_view to_string(child_state state);

/// What a supervisor knows about one child.
struct child_record {
  std::string id;
  std::shared_ptr<const child_spec> spec; ///< shared by all children of a template
  uint64_t position = 0;                  ///< order of start among its siblings
  child_state state = child_state::stopped;
  incarnation number;               ///< of its latest start; before the first, what that has to exceed
  bool being_added = false;         ///< by start_call: gone again if that start fails
  bool was_ready = false;           ///< some incarnation of it was ready
  bool killed = false;              ///< being stopped, and past its shutdown time
  bool overdue = false;             ///< being stopped because it was not ready in time
  bool state_lost = false;          ///< its actor is there and waits, after a back-off, for a new state (T3)
  uint32_t restarts = 0;            ///< in a row, for the back-off (T1)
  time_point ready_at;              ///< of the latest incarnation that was ready
  uint64_t timer = 0;               ///< token of its start limit, shutdown time or back-off; 0: none
  uint64_t start_call = 0;          ///< call to answer when it is ready or has failed; 0: none
  std::vector<uint64_t> stop_calls; ///< calls to answer when it has ended
  /// Its restarts, where they are counted for each child (S4).
  std::optional<restart_window> window;

  /// There is, or may be, an actor.
  [[nodiscard]] bool is_live() const { return state >= child_state::starting; }
};

/// The children of one supervisor in start order. Finding one by its id and adding one cost O(1), anything else at most
/// O(log n). Move-only.
class child_table {
public:
  using by_position = std::map<uint64_t, child_record>;

  child_table() = default;
  child_table(child_table&&) = default;
  child_table& operator=(child_table&&) = default;

  /// Appends a child; its id must be new.
  child_record& add(std::shared_ptr<const child_spec> spec, std::string id);
  void erase(uint64_t position);

  [[nodiscard]] child_record* find(const std::string& id);
  [[nodiscard]] child_record& at(uint64_t position) { return records_.at(position); }

  /// In start order.
  [[nodiscard]] const by_position& all() const { return records_; }
  [[nodiscard]] by_position& all() { return records_; }

  /// The only way a child's state changes, so that the counts below are right.
  void set_state(child_record& child, child_state state);
  /// Children that are starting, running or stopping.
  [[nodiscard]] size_t live() const { return live_; }
  [[nodiscard]] size_t stopping() const { return stopping_; }

private:
  by_position records_;
  std::unordered_map<std::string, child_record*> by_id_; // a walk through the records misses the cache at each step
  uint64_t next_position_ = 0;
  size_t live_ = 0;
  size_t stopping_ = 0;
};

} // namespace troupe
