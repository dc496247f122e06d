#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// (c, h, w) becomes (c·h·w, 1, 1), in PyTorch's order.
class flatten : public layer {
public:
  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;
};

} // namespace troupe::learn
