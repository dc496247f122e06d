#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Maximum of a square window, as torch.nn.MaxPool2d. The model builder moves a ReLU in front of it behind it, where
/// there are fewer elements: the two commute.
class max_pool2d : public layer {
public:
  struct options {
    int kernel = 2;
    int stride = 2;
    int padding = 0;
  };
  explicit max_pool2d(options o) : options_(o) {}

  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] bool absorbs_relu() const override { return true; }
  [[nodiscard]] bool commutes_with_relu() const override { return true; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  options options_;
};

/// Mean of a square window, as torch.nn.AvgPool2d: padding counts as zeros.
class average_pool2d : public layer {
public:
  struct options {
    int kernel = 2;
    int stride = 2;
    int padding = 0;
  };
  explicit average_pool2d(options o) : options_(o) {}

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
