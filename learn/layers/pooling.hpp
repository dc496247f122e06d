#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Maximum or mean of a square window, as torch.nn.MaxPool2d and torch.nn.AvgPool2d (padding counts as zeros there).
class pool2d : public layer {
public:
  struct options {
    dnn::pooling_kind kind = dnn::pooling_kind::max;
    int kernel = 2;
    int stride = 2;
    int padding = 0;
  };
  explicit pool2d(options o) : options_(o) {}

  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  options options_;
};

/// Mean of each channel over the whole image: (c, h, w) becomes (c, 1, 1).
class global_average_pool : public layer {
public:
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;
};

} // namespace troupe::learn
