#include "learn/layers/conv2d.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "learn/layers/product.hpp"
#include "learn/layers/relu_gradient.hpp"

namespace troupe::learn {

namespace {

/// The order in which oneDNN convolves `channels` input channels fastest. Blocks of 16 need whole blocks.
dnn::tag order_for(const plan_builder& p, int channels) {
  return channels % 16 == 0 ? p.usual_order() : dnn::tag::nhwc;
}

} // namespace

std::vector<parameter> conv2d::parameters() const {
  const auto& o = options_;
  const int64_t fan_in = int64_t{o.in} * o.kernel * o.kernel;
  std::vector<parameter> all = {
    {.name = "weight", .dims = {o.out, o.in, o.kernel, o.kernel}, .initial = initial_value::uniform, .fan_in = fan_in}};
  if (o.bias)
    all.push_back({.name = "bias", .dims = {o.out}, .initial = initial_value::uniform, .fan_in = fan_in});
  return all;
}

expected<sample_shape> conv2d::output(sample_shape input) const {
  const auto& o = options_;
  if (input.channels != o.in)
    return fail(fmt::format("a convolution of {} channels cannot take {}: give it in = {}", o.in, input.channels,
                            input.channels));
  if (std::min(input.height, input.width) + 2 * o.padding < o.kernel)
    return fail(fmt::format("a {}x{} image is too small for a {}x{} convolution: give the model larger images",
                            input.height, input.width, o.kernel, o.kernel));
  const auto across = [&](int size) { return (size + 2 * o.padding - o.kernel) / o.stride + 1; };
  return sample_shape{o.out, across(input.height), across(input.width)};
}

emitted conv2d::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto type = p.type();
  constexpr auto f32 = dnn::data_type::f32;
  const auto& o = options_;
  const dnn::dims weight_dims = {o.out, o.in, o.kernel, o.kernel};
  const dnn::window over = {{o.kernel, o.kernel}, {o.stride, o.stride}, {o.padding, o.padding}};
  const dnn::desc weight_desc(weight_dims, type, dnn::tag::any);
  const auto bias_desc = o.bias ? dnn::desc({o.out}, f32, dnn::tag::a) : dnn::desc();
  // Images need no gradient, and come in an order that no layer chose: the primitive may choose.
  const bool first = !site.wants_gradient[0];
  const auto x_desc = first ? dnn::desc(dnn::dims_of(p.image(site.input_shape)), type, dnn::tag::any)
                            : p.image(site.input_shape, order_for(p, o.in));
  const auto y_desc = p.image(site.shape, first ? p.usual_order() : order_for(p, o.in));

  const auto forward = dnn::convolution_forward({x_desc, weight_desc, bias_desc, y_desc, over}, p.training(),
                                                site.relu ? dnn::epilogue::relu : dnn::epilogue::none);
  const auto x = p.convert(site.inputs[0], forward.src_desc());
  const auto y = p.make(y_desc);
  std::vector<weight_argument> weights = {{DNNL_ARG_WEIGHTS, site.slices[0], forward.weights_desc()}};
  if (o.bias)
    weights.push_back({DNNL_ARG_BIAS, site.slices[1], bias_desc});
  emit_reading(p, "conv2d", dnnl::convolution_forward(forward),
               {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}}, {x, y}, weights);
  if (!p.training())
    return {y, {}};

  return {
    y, [=, &p, input = site.inputs[0], relu = site.relu, wants_dx = site.wants_gradient[0],
        slices = std::vector(site.slices.begin(), site.slices.end())](const std::vector<tensor>& gradients) {
      const auto dy = relu ? relu_gradient(p, y, gradients[0]) : gradients[0];
      const auto backward_weights = dnn::convolution_backward_weights(
        {x.desc(), dnn::desc(weight_dims, f32, dnn::tag::any), bias_desc, y_desc, over}, forward);
      std::vector<weight_argument> learned = {{DNNL_ARG_DIFF_WEIGHTS, slices[0], backward_weights.diff_weights_desc()}};
      if (slices.size() > 1)
        learned.push_back({DNNL_ARG_DIFF_BIAS, slices[1], bias_desc});
      emit_gradients(p, "conv2d backward weights", dnnl::convolution_backward_weights(backward_weights),
                     {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}}, {x, dy}, learned);
      if (!wants_dx)
        return std::vector<tensor>(1);
      const auto backward_data = dnn::convolution_backward_data({x.desc(), weight_desc, {}, y_desc, over}, forward);
      const auto dx = p.make(x.desc());
      emit_reading(p, "conv2d backward data", dnnl::convolution_backward_data(backward_data),
                   {{DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}}, {dy, dx},
                   {{DNNL_ARG_WEIGHTS, slices[0], backward_data.weights_desc()}});
      return std::vector<tensor>{p.convert(dx, input.desc())};
    }};
}

} // namespace troupe::learn
