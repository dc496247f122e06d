#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gpu/dnn/channel_groups.hpp"

namespace troupe::gpu::dnn {

/// Batch normalisation over (n, h, w) per channel (S. Ioffe, C. Szegedy, 2015), together with what follows it in
/// residual networks: y = [max(0, ·)] (weight · (x - mean) / sqrt(variance + epsilon) + bias [+ addend]). All
/// activations are f32 or all bf16, of one description; statistics and parameters are f32, sums double over parts that
/// do not depend on the number of threads. Not thread-safe: it owns its partial sums.
class batch_norm {
public:
  batch_norm(const desc& activation, float epsilon);

  /// Per channel: mean, 1 / sqrt(variance + epsilon) and unbiased variance of the last `forward`.
  [[nodiscard]] std::span<const float> mean() const { return mean_; }
  [[nodiscard]] std::span<const float> inverse_deviation() const { return inverse_deviation_; }
  [[nodiscard]] std::span<const float> variance() const { return variance_; }

  struct affine {
    const float* weight; ///< (channels)
    const float* bias;   ///< (channels)
  };
  struct forward_buffers {
    const void* x;
    const void* addend; ///< null: none
    void* y;
    uint16_t* positive; ///< masks of y > 0, where there is a ReLU and a backward pass; else null
  };
  /// With the batch's statistics.
  void forward(affine p, const forward_buffers& b, bool relu);

  struct running_statistics {
    const float* mean;     ///< (channels)
    const float* variance; ///< (channels)
  };
  void infer(affine p, running_statistics s, const forward_buffers& b, bool relu);

  struct backward_buffers {
    const void* dy;
    const void* more_dy; ///< added to dy; null: none
    const void* x;
    const uint16_t* positive; ///< null: no ReLU
    void* dsum;               ///< gradient of what entered the ReLU (so of the addend); null: not wanted
    void* dx;
    float* dweight; ///< (channels)
    float* dbias;   ///< (channels)
  };
  /// For the last `forward`. `dsum` is required where there is `more_dy`.
  void backward(const float* weight, const backward_buffers& b);

private:
  template <class T>
  void collect(const T* x);
  template <class T>
  void apply(const forward_buffers& b, bool relu) const;
  template <class T>
  void collect_gradient(const backward_buffers& b);
  template <class T>
  void apply_gradient(const backward_buffers& b) const;

  [[nodiscard]] double* partial(int64_t part, int which) {
    return partial_.data() + (part * 2 + which) * groups_.groups * 16;
  }
  [[nodiscard]] int64_t parts() const;

  channel_groups groups_;
  data_type type_;
  float epsilon_;
  std::vector<double> partial_; // (parts, 2, channels rounded up to 16)
  std::vector<float> mean_;     // all below: (channels rounded up to 16)
  std::vector<float> inverse_deviation_;
  std::vector<float> variance_;
  std::vector<float> scale_; // y = scale·x + shift, dx = scale·g + slope·(x - mean) + shift
  std::vector<float> slope_;
  std::vector<float> shift_;
};

} // namespace troupe::gpu::dnn
