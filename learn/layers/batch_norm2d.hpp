#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Batch normalisation per channel with epsilon 1e-5, as torch.nn.BatchNorm2d: weight, bias and, as statistics,
/// running_mean and running_var, each (channels). In training the batch's statistics are used and become the
/// statistics' gradient (mean, and unbiased variance); in evaluation the running ones are used.
class batch_norm2d : public layer {
public:
  explicit batch_norm2d(int channels) : channels_(channels) {}

  [[nodiscard]] std::vector<parameter> parameters() const override;
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] bool absorbs_relu() const override { return true; }
  [[nodiscard]] bool absorbs_addition() const override { return true; }
  [[nodiscard]] size_t gradients_taken() const override { return 2; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  int channels_;
};

} // namespace troupe::learn
