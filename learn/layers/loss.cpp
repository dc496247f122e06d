#include "learn/layers/loss.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

#include "gpu/kernels/loss.hpp"

namespace troupe::learn {

namespace {

namespace kernels = gpu::kernels;

/// (n, classes), row-major
struct problem {
  size_t n;
  size_t classes;
  const float* logits;
  const int32_t* labels;
};

void check_labels(const problem& q) {
  const auto wrong = std::find_if(q.labels, q.labels + q.n,
                                  [&](int32_t label) { return label < 0 || static_cast<size_t>(label) >= q.classes; });
  if (wrong != q.labels + q.n)
    throw std::out_of_range(
      fmt::format("label {} of a micro-batch is outside the model's {} classes", *wrong, q.classes));
}

/// Largest logit is the label's (the first, of equals).
int64_t correct_ones(const problem& q) {
  int64_t correct = 0;
  for (size_t i = 0; i < q.n; ++i) {
    const float* row = q.logits + i * q.classes;
    correct += std::max_element(row, row + q.classes) - row == q.labels[i];
  }
  return correct;
}

kernels::loss_result squared_error(const problem& q, float* target, float scale, float* gradient) {
  std::fill(target, target + q.n * q.classes, 0.0f);
  for (size_t i = 0; i < q.n; ++i)
    target[i * q.classes + static_cast<size_t>(q.labels[i])] = 1;
  const auto correct = correct_ones(q);
  auto loss = kernels::mean_squared_error({q.n, q.classes, q.logits, target}, scale, gradient);
  loss.correct = correct;
  return loss;
}

} // namespace

tensor emit_loss(plan_builder& p, loss_kind kind, const tensor& given, sample_shape shape) {
  const auto logits = p.convert(given, p.rows(shape, dnn::data_type::f32));
  const auto dims = dnn::dims_of(logits.desc());
  const auto gradient = p.training() ? p.make(logits.desc()) : tensor();
  const auto target = kind == loss_kind::squared_error ? p.make(logits.desc()) : tensor();
  p.emit("loss", {logits, gradient, target},
         [=, n = static_cast<size_t>(dims[0]), classes = static_cast<size_t>(dims[1])](const pass& now) {
           const problem q = {n, classes, logits.data<float>(), now.in.labels};
           check_labels(q);
           float* g = gradient ? gradient.data<float>() : nullptr;
           const float scale = now.options.scale;
           const auto loss = kind == loss_kind::cross_entropy
                               ? kernels::softmax_cross_entropy({q.n, q.classes, q.logits, q.labels}, scale, g)
                               : squared_error(q, target.data<float>(), scale, g);
           *now.result = {.loss_sum = loss.loss_sum, .correct = loss.correct, .samples = static_cast<int64_t>(q.n)};
         });
  return gradient ? p.convert(gradient, given.desc()) : tensor();
}

} // namespace troupe::learn
