#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gpu/device.hpp"
#include "learn/model.hpp"
#include "learn/replica.hpp"

namespace troupe::learn {

/// How far a slice's gradient is from central differences of the loss.
struct gradient_error {
  std::string slice;
  /// ‖computed − differences‖ / max(‖differences‖, ‖whole gradient‖ / 1000), Euclidean.
  double relative = 0;
};

struct gradient_check_options {
  uint64_t seed = 1; ///< of the initial parameters and of dropout
  float step = 0x1p-9f; ///< h of (f(p + h) − f(p − h)) / 2h: rounding errs by 1e-7 · loss / h, curvature by h² · f‴ / 6
};

/// Compares the gradient of every trainable parameter of a model with differences: two passes per parameter, so for
/// small models. Where a ReLU or a maximum changes sides within ±h, the differences are off; 2 % is a usual bound in
/// f32.
expected<std::vector<gradient_error>> check_gradients(const std::shared_ptr<const model>& m, const gpu::device& where,
                                                      micro_batch_data data, gradient_check_options options = {});

} // namespace troupe::learn
