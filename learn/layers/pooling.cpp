#include "learn/layers/pooling.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe::learn {

namespace {

emitted emit_pooling(const emission_site& site, dnn::pooling_kind kind, const dnn::window& over) {
  auto& p = site.plan;
  const auto x = p.as_image(site.inputs[0], site.input_shape);
  const auto y = p.make(p.image(site.shape, dnn::image_order(x.desc())));
  const dnn::pooling what = {kind, x.desc(), y.desc(), over};
  const auto forward = dnn::pooling_forward(what, p.training());
  // Max pooling remembers here which element it took.
  const bool remembers = p.training() && kind == dnn::pooling_kind::max;
  const auto taken = remembers ? p.make(forward.workspace_desc()) : tensor();
  std::unordered_map<int, dnn::memory> arguments = {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}};
  if (remembers)
    arguments.emplace(DNNL_ARG_WORKSPACE, taken.memory());
  p.emit("pool", {x, y, taken},
         [op = dnn::operation(dnnl::pooling_forward(forward), arguments)](const pass&) { op.run(); });
  if (!p.training())
    return {y, {}};

  return {y, [=, &p, input = site.inputs[0], wants_dx = site.wants_gradient[0]](std::vector<tensor> gradients) {
            if (!wants_dx)
              return std::vector<tensor>(1);
            const auto dx = p.make(x.desc());
            std::unordered_map<int, dnn::memory> back = {{DNNL_ARG_DIFF_DST, gradients[0].memory()},
                                                         {DNNL_ARG_DIFF_SRC, dx.memory()}};
            if (remembers)
              back.emplace(DNNL_ARG_WORKSPACE, taken.memory());
            p.emit("pool backward", {gradients[0], dx, taken},
                   [op = dnn::operation(dnnl::pooling_backward(dnn::pooling_backward(what, forward)), back)](
                     const pass&) { op.run(); });
            return std::vector<tensor>{p.convert(dx, input.desc())};
          }};
}

} // namespace

expected<sample_shape> pool2d::output(sample_shape input) const {
  const auto& o = options_;
  if (std::min(input.height, input.width) + 2 * o.padding < o.kernel)
    return fail(fmt::format("a {}x{} image is too small for a {}x{} pooling window: give the model larger images",
                            input.height, input.width, o.kernel, o.kernel));
  const auto across = [&](int size) { return (size + 2 * o.padding - o.kernel) / o.stride + 1; };
  return sample_shape{input.channels, across(input.height), across(input.width)};
}

emitted pool2d::emit(const emission_site& site) const {
  const auto& o = options_;
  return emit_pooling(site, o.kind, {{o.kernel, o.kernel}, {o.stride, o.stride}, {o.padding, o.padding}});
}

expected<sample_shape> global_average_pool::output(sample_shape input) const {
  return sample_shape{input.channels, 1, 1};
}

emitted global_average_pool::emit(const emission_site& site) const {
  const auto from = site.input_shape;
  const dnn::dims whole = {from.height, from.width};
  return emit_pooling(site, dnn::pooling_kind::average_padded, {whole, whole, {0, 0}});
}

} // namespace troupe::learn
