#pragma once

#include <cstdint>
#include <vector>

#include "messages/ids.hpp"

namespace troupe {

/// Who meets whom in which step: a pure function, so that every peer works it out alike.
///
/// * In most steps each meets one other, as in a round-robin tournament: of w peers each meets all others within w - 1
///   steps, where w is even; else within w, and in each step another one stays alone.
/// * In the steps before an evaluation or a checkpoint all meet, and are one model behind it (Gossip-PGA, Chen et al.
///   2021): at the ends of epochs, at multiples of `every`, and at the end of the run. Before a checkpoint, of which
///   the run may go on, the optimiser's state is averaged with it.
struct gossip_rounds {
  uint64_t steps_per_epoch = 1;
  uint64_t every = 0; ///< between two checkpoints; 0: there are none
  uint64_t last = 0;  ///< step at which the run ends

  /// Whether all replicas are one model at this version.
  [[nodiscard]] bool all_alike_at(step version) const {
    return version.value % steps_per_epoch == 0 || (every != 0 && version.value % every == 0) || version.value == last;
  }
  /// And have one state of the optimiser.
  [[nodiscard]] bool states_alike_at(step version) const {
    return every != 0 && (version.value % every == 0 || version.value == last);
  }
  [[nodiscard]] bool all_meet_in(step at) const { return all_alike_at(at.next()); }
  /// The places of those whom the peer at `place` among `peers` meets, in rank order.
  [[nodiscard]] std::vector<uint32_t> partners(step at, uint32_t peers, uint32_t place) const;
};

} // namespace troupe
