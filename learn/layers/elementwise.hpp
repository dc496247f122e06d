#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// relu, tanh or gelu (the exact one), element by element. The model builder folds a ReLU into the layer before it
/// where that layer can take it.
class elementwise : public layer {
public:
  explicit elementwise(dnn::elementwise_kind kind) : kind_(kind) {}

  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override { return input; }
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  dnn::elementwise_kind kind_;
};

} // namespace troupe::learn
