#include "learn/layers/elementwise.hpp"

namespace troupe::learn {

emitted elementwise::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto& x = site.inputs[0];
  const auto y = p.make(x.desc());
  const auto forward = dnn::elementwise_forward(kind_, x.desc(), p.training());
  const dnn::operation op(dnnl::eltwise_forward(forward), {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}});
  p.emit("elementwise", {x, y}, [op](const pass&) { op.run(); });
  if (!p.training())
    return {y, {}};

  return {y, [=, &p, kind = kind_, wants_dx = site.wants_gradient[0]](std::vector<tensor> gradients) {
            if (!wants_dx)
              return std::vector<tensor>(1);
            const auto& dy = gradients[0];
            const auto dx = p.make(x.desc());
            const bool from_result = dnn::gradient_from_result(kind);
            const auto& kept = from_result ? y : x;
            const dnn::operation back(dnnl::eltwise_backward(dnn::elementwise_backward(kind, x.desc(), forward)),
                                      {{from_result ? DNNL_ARG_DST : DNNL_ARG_SRC, kept.memory()},
                                       {DNNL_ARG_DIFF_DST, dy.memory()},
                                       {DNNL_ARG_DIFF_SRC, dx.memory()}});
            p.emit("elementwise backward", {kept, dy, dx}, [back](const pass&) { back.run(); });
            return std::vector<tensor>{dx};
          }};
}

} // namespace troupe::learn
