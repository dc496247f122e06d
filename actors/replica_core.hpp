#pragma once

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "messages/membership.hpp"
#include "messages/replicas.hpp"
#include "messages/step_set.hpp"

namespace troupe {

/// A replica of a shard: follows its holder from update to update. The pure core of the shard replica (R1); the shell
/// has the numbers. What is acknowledged is in the vault, or under way to it, before the holder shows it to anybody.
class replica_core {
public:
  explicit replica_core(member self) : self_(std::move(self)) {}

  /// Updates that may wait for those before them (R13).
  static constexpr size_t max_early = 16;

  struct follow {
    member holder;
    bool again;
  }; ///< send `follow_shard`
  struct take {
    shard_state what;
  }; ///< this is the shard's state now
  struct apply {
    replicate_update what;
  }; ///< begin the update; call `on_applied` when it is done
  struct acknowledge {
    step version;
  };                  ///< send `update_replicated`
  struct announce {}; ///< send `join` to the coordinator
  using action = std::variant<follow, take, apply, acknowledge, announce>;
  using actions = std::vector<action>;

  /// What a life before has left.
  void on_restored(const step_set& applied, view since);
  actions on_view(const view_changed& v);
  /// Where the holder is has become known, perhaps after the view: what it was asked before is lost.
  actions on_bound(const member& who) const;
  actions on_state(const shard_state& s);
  actions on_update(const replicate_update& u);
  actions on_applied();
  /// Called at a steady pace: what may be lost is asked for again.
  actions on_tick();

  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] step version() const { return applied_.version(); }
  [[nodiscard]] const step_set& applied() const { return applied_; }
  [[nodiscard]] view rewound() const { return rewound_; }
  [[nodiscard]] origin from() const { return {self_.role, self_.incarnation, view_}; }
  [[nodiscard]] const member& self() const { return self_; }
  [[nodiscard]] const std::optional<member>& holder() const { return holder_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

private:
  [[nodiscard]] step begun() const { return {version().value + (applying_ ? 1 : 0)}; }
  void go_back(view since);
  void next(actions& out);

  member self_;
  view view_;
  view rewound_;
  std::optional<member> holder_;
  bool listed_ = false; ///< the view has this replica
  bool loaded_ = false;
  bool progress_ = false;
  step_set applied_;
  std::optional<step> applying_;           ///< the step whose update is under way
  std::map<step, replicate_update> early_; ///< by version
  uint64_t dropped_ = 0;
};

} // namespace troupe
