#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "learn/optimizer.hpp"
#include "learn/replica.hpp"
#include "learn/schedule.hpp"

namespace troupe::learn {

/// What one worker of local SGD does between two averages (Stich 2019; with an outer optimiser DiLoCo, Douillard et al.
/// 2023): from given parameters it takes steps with an optimiser of its own, each on the next part of its samples, and
/// contributes what has become of the parameters. The optimiser starts anew each time, so that the contribution is a
/// pure function of parameters and samples, whoever computes it (R5). Not thread-safe; used by one owner and one
/// stream, and owned by what it has enqueued.
class local_steps {
public:
  struct options {
    uint64_t steps = 1; ///< in a row
    optimizer_options optimizer;
    schedule_options schedule; ///< of the learning rate, over all steps of the run
  };

  local_steps(std::shared_ptr<const learn::model> m, options how);

  /// Where the parameters lie that a worker starts from, and what keeps them: by block.
  struct place {
    const float* data = nullptr;
    std::shared_ptr<const void> owner;
  };

  struct round {
    pass_key key;              ///< `step` counts rounds
    float weight = 1;          ///< of this worker's contribution
    size_t samples_per_step{}; ///< the last step of a short round may have fewer
  };

  /// Enqueues the steps on `in`. `contribution`: flat buffer in the model's layout; trainable blocks become (parameters
  /// before - after) * weight, which an optimiser takes as a gradient, statistics (after) * weight. `on_block` is
  /// called on the lane thread for each block that is final. `result` adds up all steps. Leaves `with` bound to `from`.
  void run(gpu::stream& s, replica& with, std::span<const place> from, micro_batch_data in, const round& now,
           float* contribution, batch_result* result, std::function<void(size_t block)> on_block);

private:
  struct buffers;

  std::shared_ptr<const learn::model> model_;
  options options_;
  std::shared_ptr<buffers> buffers_;
};

} // namespace troupe::learn
