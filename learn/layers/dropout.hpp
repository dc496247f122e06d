#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// In training, zeroes each value with probability `rate` and divides the others by 1 - rate, as torch.nn.Dropout;
/// which ones is a pure function of the pass's key and `index`, the layer's place in its model (R10). The identity in
/// evaluation.
class dropout : public layer {
public:
  dropout(float rate, uint32_t index) : rate_(rate), index_(index) {}

  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  float rate_;
  uint32_t index_;
};

} // namespace troupe::learn
