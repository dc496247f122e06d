#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::gpu::kernels {

/// What a batch of samples lost.
struct loss_result {
  double loss_sum = 0; ///< over samples, in an order that depends on the shape alone
  int64_t correct = 0; ///< samples whose largest logit (the first, of equals) is the label's
};

/// Softmax cross-entropy. `logits`: (n, classes) row-major; `labels`: (n), each in [0, classes); `gradient`: (n,
/// classes), becomes scale * (softmax - one_hot), may be `logits`, null for the loss alone.
struct cross_entropy_input {
  size_t n = 0;
  size_t classes = 0;
  const float* logits = nullptr;
  const int32_t* labels = nullptr;
};
loss_result softmax_cross_entropy(const cross_entropy_input& in, float scale, float* gradient);

/// Mean-squared error: a sample's loss is the mean of its squared differences, so the batch's mean is torch.nn.MSELoss.
/// All buffers (n, outputs) row-major; `gradient` becomes scale * 2 / outputs * (prediction - target), may be
/// `prediction`, null for the loss alone. `correct` stays 0.
struct squared_error_input {
  size_t n = 0;
  size_t outputs = 0;
  const float* prediction = nullptr;
  const float* target = nullptr;
};
loss_result mean_squared_error(const squared_error_input& in, float scale, float* gradient);

} // namespace troupe::gpu::kernels
