#include "learn/layers/conv2d.hpp"

#include <fmt/format.h>

#include "learn/layers/rows.hpp"

namespace troupe::learn {

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
  const auto f32 = dnn::data_type::f32;
  const auto& input = site.inputs[0];
  const dnn::dims weight_dims = {options_.out, options_.in, options_.kernel, options_.kernel};
  const dnn::window over = {
    {options_.kernel, options_.kernel}, {options_.stride, options_.stride}, {options_.padding, options_.padding}};
  const auto bias = options_.bias ? dnn::desc({options_.out}, f32, dnn::tag::a) : dnn::desc();
  // What comes from another layer is in the common layout; images are converted to what suits the primitive.
  const auto dims = dnn::dims_of(input.desc());
  const sample_shape shape = {static_cast<int>(dims[1]), static_cast<int>(dims[2]), static_cast<int>(dims[3])};
  const auto x_desc = input.desc() == p.activation(shape) ? input.desc() : dnn::desc(dims, type, dnn::tag::any);
  const auto y_desc = p.activation(site.shape);

  const auto forward =
    dnn::convolution_forward({x_desc, dnn::desc(weight_dims, type, dnn::tag::any), bias, y_desc, over}, p.training(),
                             site.relu ? dnn::epilogue::relu : dnn::epilogue::none);
  const auto x = p.convert(input, forward.src_desc());
  const auto y = p.make(y_desc);
  const auto w = p.weight(site.slices[0], forward.weights_desc());
  const auto b = options_.bias ? p.weight(site.slices[1], bias) : nullptr;
  std::unordered_map<int, dnn::memory> arguments = {
    {DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_WEIGHTS, w->memory()}, {DNNL_ARG_DST, y.memory()}};
  if (b)
    arguments.emplace(DNNL_ARG_BIAS, b->memory());
  p.emit("conv2d", {x, y}, [w, b, op = dnn::operation(dnnl::convolution_forward(forward), arguments)](const pass& now) {
    w->refresh(now.parameters);
    if (b)
      b->refresh(now.parameters);
    op.run();
  });
  if (!p.training())
    return {y, {}};

  return {
    y, [=, &p, o = options_, relu = site.relu, wants_dx = site.wants_gradient[0],
        slices = std::vector(site.slices.begin(), site.slices.end())](std::vector<tensor> gradients) {
      const auto dy = relu ? relu_gradient(p, y, gradients[0]) : gradients[0];
      tensor dx;
      if (wants_dx) {
        const auto backward_data = dnn::convolution_backward_data(
          {x.desc(), dnn::desc(weight_dims, type, dnn::tag::any), {}, dy.desc(), over}, forward);
        const auto w_back = p.weight(slices[0], backward_data.weights_desc());
        dx = p.make(x.desc());
        const dnn::operation op(
          dnnl::convolution_backward_data(backward_data),
          {{DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_WEIGHTS, w_back->memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}});
        p.emit("conv2d backward data", {dy, dx}, [w_back, op](const pass& now) {
          w_back->refresh(now.parameters);
          op.run();
        });
        dx = p.convert(dx, input.desc());
      }
      const auto backward_weights = dnn::convolution_backward_weights(
        {x.desc(), dnn::desc(weight_dims, f32, dnn::tag::any), bias, dy.desc(), over}, forward);
      const auto dw = p.gradient(slices[0], backward_weights.diff_weights_desc());
      std::vector<gradient_target> targets = {dw};
      std::unordered_map<int, dnn::memory> weight_arguments = {
        {DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_WEIGHTS, dw.memory()}};
      if (o.bias) {
        targets.push_back(p.gradient(slices[1], bias));
        weight_arguments.emplace(DNNL_ARG_DIFF_BIAS, targets[1].memory());
      }
      p.emit(
        "conv2d backward weights", {x, dy, dw.staging()},
        [targets,
         op = dnn::operation(dnnl::convolution_backward_weights(backward_weights), weight_arguments)](const pass& now) {
          for (const auto& t : targets)
            t.start(now);
          op.run();
          for (const auto& t : targets)
            t.finish();
        },
        slices);
      return std::vector<tensor>{dx};
    }};
}

} // namespace troupe::learn
