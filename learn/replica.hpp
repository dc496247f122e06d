#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "gpu/stream.hpp"
#include "learn/model.hpp"

namespace troupe::learn {

/// One micro-batch in host memory. `images`: (n, channels, height, width) f32, row-major; `labels`: (n). Both must stay
/// valid until the stream is past the call that took them, and are read only then, not at the call.
struct micro_batch_data {
  const float* images = nullptr;
  const int32_t* labels = nullptr;
  int n = 0;
};

/// What a micro-batch yielded; written on the lane thread.
struct batch_result {
  double loss_sum = 0; ///< sum of the samples' losses
  int64_t correct = 0; ///< samples whose largest logit is the label's
  int64_t samples = 0;
};

/// Where in the run a training pass stands: the key of all its randomness (dropout), R10.
struct pass_key {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint64_t micro_batch = 0;
};

/// A model that can compute: activations, primitives and workspaces on one device. Not thread-safe; used by one owner
/// and one stream. All methods only enqueue; nothing blocks. No allocation once every batch size in use has been seen.
class replica {
public:
  virtual ~replica() = default;

  [[nodiscard]] virtual const learn::model& model() const = 0;

  /// From here on in the stream, parameters of block `index` are read from `data` (`block.size` floats, laid out as in
  /// the layout). `owner` is kept until the block is bound again. Nothing is copied.
  virtual void bind(gpu::stream& s, size_t index, const float* data, std::shared_ptr<const void> owner) = 0;

  /// Forward and backward of one micro-batch. `gradient`: flat buffer in the model's layout; every float of it (padding
  /// included) is overwritten with d/dp of sum(loss) * scale; statistic slices with batch statistic * scale * n, so
  /// that summing over the micro-batches of a step gives the weighted mean when scale = 1 / samples of the step.
  /// `on_block` is called on the lane thread as soon as a block of `gradient` is final, once per block, last layers
  /// first. `result` is final when the last block is.
  struct train_options {
    pass_key key;
    float scale = 1;
  };
  virtual void train(gpu::stream& s, micro_batch_data in, train_options options, float* gradient, batch_result* result,
                     std::function<void(size_t block)> on_block) = 0;

  /// Forward with running statistics, no dropout.
  virtual void evaluate(gpu::stream& s, micro_batch_data in, batch_result* result) = 0;
};

/// A model that brings its own replica instead of layers: for computations that are not a graph of layers.
class custom_model : public model {
public:
  /// `self` is this model.
  [[nodiscard]] virtual std::unique_ptr<replica> make_replica(std::shared_ptr<const custom_model> self) const = 0;
};

/// Refuses bf16 on a device without it, with one sentence.
expected<std::unique_ptr<replica>> make_replica(const std::shared_ptr<const model>& m, const gpu::device& where);

} // namespace troupe::learn
