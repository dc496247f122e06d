#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// The sum of two inputs of the same shape.
class add : public layer {
public:
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override { return input; }
  [[nodiscard]] bool absorbs_relu() const override { return true; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;
};

/// Appends the sum of tensors of one description.
tensor emit_sum(plan_builder& p, const std::vector<tensor>& all);

} // namespace troupe::learn
