#pragma once

#include "learn/plan.hpp"

namespace troupe::learn {

/// dy where y > 0, else 0: the gradient through a ReLU whose result is `y`.
tensor relu_gradient(plan_builder& p, const tensor& y, const tensor& dy);

} // namespace troupe::learn
