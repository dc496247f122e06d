#include "learn/layers/pooling.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "gpu/dnn/max_pool.hpp"

namespace troupe::learn {

namespace {

struct window_sizes {
  int kernel;
  int stride;
  int padding;
};

expected<sample_shape> pooled(sample_shape input, window_sizes w) {
  if (std::min(input.height, input.width) + 2 * w.padding < w.kernel)
    return fail(fmt::format("a {}x{} image is too small for a {}x{} pooling window: give the model larger images",
                            input.height, input.width, w.kernel, w.kernel));
  if (w.kernel < 1 || w.kernel > 15 || w.stride < 1 || w.padding < 0 || 2 * w.padding > w.kernel)
    return fail(
      fmt::format("a pooling window of {} with stride {} and padding {} cannot be: choose a window of 1 to 15, a "
                  "stride of at least 1 and a padding of at most half the window",
                  w.kernel, w.stride, w.padding));
  const auto across = [&](int size) { return (size + 2 * w.padding - w.kernel) / w.stride + 1; };
  return sample_shape{input.channels, across(input.height), across(input.width)};
}

emitted emit_average(const emission_site& site, const dnn::window& over) {
  auto& p = site.plan;
  const auto x = p.as_image(site.inputs[0], site.input_shape);
  const auto y = p.make(p.image(site.shape, dnn::image_order(x.desc())));
  const dnn::average_pooling what = {x.desc(), y.desc(), over};
  const auto forward = dnn::pooling_forward(what, p.training());
  p.emit("average pool", {x, y},
         [op = dnn::operation(dnnl::pooling_forward(forward),
                              {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}})](const pass&) { op.run(); });
  return {y, [=, &p, input = site.inputs[0], wants_dx = site.wants_gradient[0]](const std::vector<tensor>& gradients) {
            if (!wants_dx)
              return std::vector<tensor>(1);
            const auto dx = p.make(x.desc());
            const dnn::operation op(dnnl::pooling_backward(dnn::pooling_backward(what, forward)),
                                    {{DNNL_ARG_DIFF_DST, gradients[0].memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}});
            p.emit("average pool backward", {gradients[0], dx}, [op](const pass&) { op.run(); });
            return std::vector<tensor>{p.convert(dx, input.desc())};
          }};
}

} // namespace

expected<sample_shape> max_pool2d::output(sample_shape input) const {
  return pooled(input, {options_.kernel, options_.stride, options_.padding});
}

emitted max_pool2d::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto x = p.as_image(site.inputs[0], site.input_shape);
  // The result is small: it may as well change to the order that the next convolution wants.
  const auto order = site.shape.channels % 16 == 0 ? dnn::image_order(x.desc()) : dnn::tag::nhwc;
  const auto y = p.make(p.image(site.shape, order));
  const dnn::max_pool what = {options_.kernel, options_.stride, options_.padding, site.relu};
  const auto bytes = static_cast<int64_t>(dnn::taken_bytes(y.desc()));
  const auto taken = p.training() ? p.make({{bytes}, dnn::data_type::u8, dnn::tag::a}) : tensor();
  p.emit("max pool", {x, y, taken},
         [=](const pass&) { what.forward(x.memory(), y.memory(), taken ? taken.data<uint8_t>() : nullptr); });
  return {y, [=, &p, input = site.inputs[0], wants_dx = site.wants_gradient[0]](const std::vector<tensor>& gradients) {
            if (!wants_dx)
              return std::vector<tensor>(1);
            const auto& dy = gradients[0];
            const auto dx = p.make(x.desc());
            p.emit("max pool backward", {dy, taken, dx},
                   [=](const pass&) { what.backward(dy.memory(), taken.data<uint8_t>(), dx.memory()); });
            return std::vector<tensor>{p.convert(dx, input.desc())};
          }};
}

expected<sample_shape> average_pool2d::output(sample_shape input) const {
  return pooled(input, {options_.kernel, options_.stride, options_.padding});
}

emitted average_pool2d::emit(const emission_site& site) const {
  const auto& o = options_;
  return emit_average(site, {{o.kernel, o.kernel}, {o.stride, o.stride}, {o.padding, o.padding}});
}

expected<sample_shape> global_average_pool::output(sample_shape input) const {
  return sample_shape{input.channels, 1, 1};
}

emitted global_average_pool::emit(const emission_site& site) const {
  const dnn::dims whole = {site.input_shape.height, site.input_shape.width};
  return emit_average(site, {whole, whole, {0, 0}});
}

} // namespace troupe::learn
