#pragma once

#include "learn/plan.hpp"

namespace troupe::learn {

/// An activation as a matrix: one row per sample, features in (channel, height, width) order, as PyTorch's Flatten.
struct matrix_of {
  tensor rows;   ///< (n, features)
  tensor source; ///< what it was made of
};
matrix_of as_rows(plan_builder& p, const tensor& source, dnn::data_type type);

/// The gradient of `m.source` from that of `m.rows`.
tensor from_rows(plan_builder& p, const matrix_of& m, const tensor& row_gradient);

/// dy where y > 0, else 0: the gradient through a ReLU whose result is `y`.
tensor relu_gradient(plan_builder& p, const tensor& y, const tensor& dy);

} // namespace troupe::learn
