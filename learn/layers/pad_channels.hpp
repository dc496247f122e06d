#pragma once

#include "learn/layer.hpp"

namespace troupe::learn {

/// Every `stride`-th row and column, with channels of zeros around the given ones, half of the new ones in front: the
/// parameter-free shortcut ("option A") of K. He et al., 2015.
class pad_channels : public layer {
public:
  pad_channels(int channels, int stride) : channels_(channels), stride_(stride) {}

  [[nodiscard]] expected<sample_shape> output(sample_shape input) const override;
  [[nodiscard]] emitted emit(const emission_site& site) const override;

private:
  int channels_;
  int stride_;
};

} // namespace troupe::learn
