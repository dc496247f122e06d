#pragma once

#include "learn/plan.hpp"

namespace troupe::learn {

/// What a model minimises. `squared_error` compares the outputs with the one-hot label, as torch.nn.MSELoss.
enum class loss_kind : uint8_t { cross_entropy, squared_error };

/// Appends the loss of `logits` of `shape` = (classes), which fills the pass's result. In training returns the gradient
/// of the logits, else an empty tensor.
tensor emit_loss(plan_builder& p, loss_kind kind, const tensor& logits, sample_shape shape);

} // namespace troupe::learn
