#pragma once

#include <caf/type_id.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <set>

#include "messages/registry.hpp"

namespace troupe::toy {

/// agent → step_tally, when the agent has finished a micro-batch. Lost: the step stays open. Doubled: counted once.
struct micro_batch_finished {
  troupe::step at;
  troupe::micro_batch which;

  template <class Inspector>
  friend bool inspect(Inspector& f, micro_batch_finished& x) {
    return f.object(x).fields(f.field("at", x.at), f.field("which", x.which.value));
  }
};

/// anyone → step_tally; answered with a `tally`.
struct ask_tally {
  template <class Inspector>
  friend bool inspect(Inspector& f, ask_tally& x) {
    return f.object(x).fields();
  }
};

/// step_tally → whoever asked.
struct tally {
  troupe::step open;     ///< the step being worked on
  uint64_t finished = 0; ///< micro-batches of it
  uint64_t dropped = 0;  ///< messages that changed nothing

  bool operator==(const tally&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, tally& x) {
    return f.object(x).fields(f.field("open", x.open), f.field("finished", x.finished), f.field("dropped", x.dropped));
  }
};

/// Counts each micro-batch of a step once (R5): the pure core (R1). What is old, early, doubled or not part of a step
/// changes nothing and is counted (I13).
class tally_core {
public:
  /// `per_step`: micro-batches of a step, at least 1.
  explicit tally_core(uint64_t per_step);

  void on_finished(const micro_batch_finished& what);
  [[nodiscard]] tally now() const { return {open_, finished_.size(), dropped_}; }

private:
  uint64_t per_step_;
  step open_;
  std::set<micro_batch> finished_; // of the open step, so never more than per_step_ (R13)
  uint64_t dropped_ = 0;
};

} // namespace troupe::toy

CAF_BEGIN_TYPE_ID_BLOCK(toy, caf::id_block::troupe::end)
CAF_ADD_TYPE_ID(toy, (troupe::toy::ask_tally))
CAF_ADD_TYPE_ID(toy, (troupe::toy::micro_batch_finished))
CAF_ADD_TYPE_ID(toy, (troupe::toy::tally))
CAF_END_TYPE_ID_BLOCK(toy)

namespace troupe::toy {

using step_tally_actor = caf::typed_actor<caf::result<void>(micro_batch_finished), //
                                          caf::result<tally>(ask_tally)>;

/// Keeps the tally of one job (see `tally_core`).
/// Receives `micro_batch_finished` (agents), `ask_tally` (anyone); answers with `tally`. Ends only when stopped; after
/// a restart it counts from step 0. Owns nothing but its core.
class step_tally final : public step_tally_actor::base {
public:
  struct config {
    uint64_t micro_batches_per_step = 1;
  };

  step_tally(caf::actor_config& cfg, config c);
  const char* name() const override { return "troupe.step_tally"; }
  behavior_type make_behavior() override;

private:
  tally_core core_;
};

} // namespace troupe::toy
