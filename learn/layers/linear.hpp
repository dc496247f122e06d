#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// y = x Wᵀ + b over the flattened sample, as torch.nn.Linear. weight (out, in), bias (out).
class linear : public layer {
public:
  struct options {
    int in = 1;  ///< features
    int out = 1; ///< features
    bool bias = true;
  };
  explicit linear(options o) : options_(o) {}

  [[nodiscard]] std::vector<parameter> parameters() const override;
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] bool absorbs_relu() const override { return true; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  options options_;
};

} // namespace troupe::learn
