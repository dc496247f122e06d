#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Cross-correlation with square kernel, as torch.nn.Conv2d. weight (out, in, kernel, kernel), bias (out).
class conv2d : public layer {
public:
  struct options {
    int in = 1;  ///< channels
    int out = 1; ///< channels
    int kernel = 3;
    int stride = 1;
    int padding = 0; ///< zeros on each side
    bool bias = true;
  };
  explicit conv2d(options o) : options_(o) {}

  [[nodiscard]] std::vector<parameter> parameters() const override;
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] bool absorbs_relu() const override { return true; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  options options_;
};

} // namespace troupe::learn
