#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Normalises each sample over all its features with epsilon 1e-5, as torch.nn.LayerNorm(sample shape): weight and bias
/// of the sample's shape (J. L. Ba et al., 2016).
class layer_norm : public layer {
public:
  explicit layer_norm(sample_shape shape) : shape_(shape) {}

  [[nodiscard]] std::vector<parameter> parameters() const override;
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  sample_shape shape_;
};

} // namespace troupe::learn
