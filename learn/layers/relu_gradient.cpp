#include "learn/layers/relu_gradient.hpp"

namespace troupe::learn {

tensor relu_gradient(plan_builder& p, const tensor& y, const tensor& dy) {
  constexpr auto relu = dnn::elementwise_kind::relu;
  const auto forward = dnn::elementwise_forward(relu, y.desc(), true);
  auto dx = p.make(y.desc());
  const dnn::operation op(
    dnnl::eltwise_backward(dnn::elementwise_backward(relu, y.desc(), forward)),
    {{DNNL_ARG_DST, y.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}});
  p.emit("relu backward", {y, dy, dx}, [op](const pass&) { op.run(); });
  return dx;
}

} // namespace troupe::learn
