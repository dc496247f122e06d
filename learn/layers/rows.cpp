#include "learn/layers/rows.hpp"

namespace troupe::learn {

namespace {

/// Description of `d` as (n, c, h, w) row-major, or as (n, features) where it has two dimensions already.
dnn::desc row_major_like(const dnn::desc& d, dnn::data_type type) {
  const auto dims = dnn::dims_of(d);
  return {dims, type, dims.size() == 4 ? dnn::tag::nchw : dnn::tag::nc};
}

dnn::desc rows_like(const dnn::desc& d, dnn::data_type type) {
  const auto dims = dnn::dims_of(d);
  int64_t features = 1;
  for (size_t i = 1; i < dims.size(); ++i)
    features *= dims[i];
  return {{dims[0], features}, type, dnn::tag::nc};
}

} // namespace

matrix_of as_rows(plan_builder& p, const tensor& source, dnn::data_type type) {
  const auto plain = p.convert(source, row_major_like(source.desc(), type));
  return {p.view(plain, rows_like(source.desc(), type)), source};
}

tensor from_rows(plan_builder& p, const matrix_of& m, const tensor& row_gradient) {
  const auto plain = p.view(row_gradient, row_major_like(m.source.desc(), dnn::type_of(row_gradient.desc())));
  return p.convert(plain, m.source.desc());
}

tensor relu_gradient(plan_builder& p, const tensor& y, const tensor& dy) {
  const auto forward = dnn::elementwise_forward(dnn::elementwise_kind::relu, y.desc(), true);
  const auto dx = p.make(y.desc());
  const dnn::operation op(
    dnnl::eltwise_backward(dnn::elementwise_backward(dnn::elementwise_kind::relu, y.desc(), forward)),
    {{DNNL_ARG_DST, y.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}});
  p.emit("relu backward", {y, dy, dx}, [op](const pass&) { op.run(); });
  return dx;
}

} // namespace troupe::learn
