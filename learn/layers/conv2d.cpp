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

/// Whether Winograd's algorithm wins: 3x3 windows of stride 1, tiles of 4x4 that are mostly filled, and enough channels
/// for its transformations to pay (measured with 16 to 512 channels on 2x2 to 32x32 images).
bool suits_winograd(const conv2d::options& o, sample_shape result) {
  return o.kernel == 3 && o.stride == 1 && std::min(o.in, o.out) >= 32 && std::min(result.height, result.width) >= 4;
}

/// One way to compute a convolution: element type and orders of its images, and the primitives for them.
struct arrangement {
  dnn::data_type type;
  dnnl::convolution_forward::primitive_desc forward;
  dnnl::convolution_backward_weights::primitive_desc backward_weights; ///< where it trains
  dnnl::convolution_backward_data::primitive_desc backward_data;       ///< where its input needs a gradient

  [[nodiscard]] bool is_fast() const {
    const auto fast = [](const dnnl::primitive_desc_base& d) { return !d.get(true) || !dnn::is_reference(d); };
    return fast(forward) && fast(backward_weights) && fast(backward_data);
  }
};

arrangement arrange(const emission_site& site, const conv2d::options& o, dnn::data_type type, dnn::tag order) {
  const auto& p = site.plan;
  constexpr auto f32 = dnn::data_type::f32;
  const auto image = [&](sample_shape s, dnn::tag in) {
    return dnn::desc({p.samples(), s.channels, s.height, s.width}, type, in);
  };
  const dnn::dims weight_dims = {o.out, o.in, o.kernel, o.kernel};
  const dnn::window over = {{o.kernel, o.kernel}, {o.stride, o.stride}, {o.padding, o.padding}};
  const dnn::desc weights(weight_dims, type, dnn::tag::any);
  const auto bias = o.bias ? dnn::desc({o.out}, f32, dnn::tag::a) : dnn::desc();
  // The micro-batch's images need no gradient, and come in an order that no layer chose: the primitive may choose.
  const bool first = !site.wants_gradient[0];
  const auto x = image(site.input_shape, first ? dnn::tag::any : order);
  const auto y = image(site.shape, order);

  const bool winograd = type == f32 && suits_winograd(o, site.shape);

  arrangement a = {.type = type,
                   .forward = dnn::convolution_forward({x, weights, bias, y, over, winograd}, p.training(),
                                                       site.relu ? dnn::epilogue::relu : dnn::epilogue::none),
                   .backward_weights = {},
                   .backward_data = {}};
  if (!p.training())
    return a;
  a.backward_weights = dnn::convolution_backward_weights(
    {a.forward.src_desc(), dnn::desc(weight_dims, f32, dnn::tag::any), bias, y, over, winograd}, a.forward);
  if (!first)
    a.backward_data = dnn::convolution_backward_data({x, weights, {}, y, over, winograd}, a.forward);
  return a;
}

/// The first arrangement for which oneDNN has fast code throughout. What it lacks in bf16 (few channels, mostly) is
/// computed in f32.
arrangement choose(const emission_site& site, const conv2d::options& o) {
  const auto& p = site.plan;
  const auto usual = site.wants_gradient[0] ? order_for(p, o.in) : p.usual_order();
  auto preferred = arrange(site, o, p.type(), usual);
  if (preferred.is_fast())
    return preferred;
  for (const auto type : {p.type(), dnn::data_type::f32})
    for (const auto order : {dnn::tag::nhwc, dnn::tag::nChw16c})
      if (auto a = arrange(site, o, type, order); a.is_fast())
        return a;
  return preferred;
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
  const auto chosen = choose(site, options_);
  const auto& forward = chosen.forward;
  const auto x = p.convert(site.inputs[0], forward.src_desc());
  const auto y = p.make(forward.dst_desc());
  std::vector<weight_argument> weights = {{DNNL_ARG_WEIGHTS, site.slices[0], forward.weights_desc()}};
  if (options_.bias)
    weights.push_back({DNNL_ARG_BIAS, site.slices[1], forward.bias_desc()});
  const auto forward_operands =
    with_scratchpad(p, forward, {{{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}}, {x, y}});
  emit_reading(p, "conv2d", dnnl::convolution_forward(forward), forward_operands.all, forward_operands.tensors,
               weights);
  const auto result =
    chosen.type == p.type() ? y : p.convert(y, p.image(site.shape, dnn::image_order(forward.dst_desc())));
  if (!p.training())
    return {result, {}};

  return {
    result, [=, &p, input = site.inputs[0], relu = site.relu,
             slices = std::vector(site.slices.begin(), site.slices.end())](const std::vector<tensor>& gradients) {
      const auto given = relu ? relu_gradient(p, result, gradients[0]) : gradients[0];
      const auto dy = p.convert(given, y.desc());
      const auto& backward_weights = chosen.backward_weights;
      std::vector<weight_argument> learned = {{DNNL_ARG_DIFF_WEIGHTS, slices[0], backward_weights.diff_weights_desc()}};
      if (slices.size() > 1)
        learned.push_back({DNNL_ARG_DIFF_BIAS, slices[1], chosen.forward.bias_desc()});
      const auto w =
        with_scratchpad(p, backward_weights, {{{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}}, {x, dy}});
      emit_gradients(p, "conv2d backward weights", dnnl::convolution_backward_weights(backward_weights), w.all,
                     w.tensors, learned);
      const auto& backward_data = chosen.backward_data;
      if (!backward_data.get(true))
        return std::vector<tensor>(1);
      const auto dx = p.make(x.desc());
      const auto d = with_scratchpad(p, backward_data,
                                     {{{DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}}, {dy, dx}});
      emit_reading(p, "conv2d backward data", dnnl::convolution_backward_data(backward_data), d.all, d.tensors,
                   {{DNNL_ARG_WEIGHTS, slices[0], backward_data.weights_desc()}});
      return std::vector<tensor>{p.convert(dx, input.desc())};
    }};
}

} // namespace troupe::learn
