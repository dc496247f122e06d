#include "tests/unit/toy/step_tally.hpp"

#include <cassert>

namespace troupe::toy {

tally_core::tally_core(uint64_t per_step) : per_step_(per_step) {
  assert(per_step > 0);
}

void tally_core::on_finished(const micro_batch_finished& what) {
  const bool counts = what.at == open_ && what.which.value < per_step_ && finished_.insert(what.which).second;
  if (!counts)
    ++dropped_;
  if (finished_.size() < per_step_)
    return;
  open_ = open_.next();
  finished_.clear();
}

step_tally::step_tally(caf::actor_config& cfg, config c)
  : step_tally_actor::base(cfg), core_(c.micro_batches_per_step) {}

step_tally_actor::behavior_type step_tally::make_behavior() {
  return {
    [this](const micro_batch_finished& what) { core_.on_finished(what); },
    [this](ask_tally) { return core_.now(); },
  };
}

} // namespace troupe::toy
