#include "learn/layers/linear.hpp"

#include <fmt/format.h>

#include "learn/layers/product.hpp"
#include "learn/layers/relu_gradient.hpp"

namespace troupe::learn {

std::vector<parameter> linear::parameters() const {
  std::vector<parameter> all = {
    {.name = "weight", .dims = {options_.out, options_.in}, .initial = initial_value::uniform, .fan_in = options_.in}};
  if (options_.bias)
    all.push_back({.name = "bias", .dims = {options_.out}, .initial = initial_value::uniform, .fan_in = options_.in});
  return all;
}

expected<sample_shape> linear::output(sample_shape input) const {
  if (input.size() != static_cast<size_t>(options_.in))
    return fail(fmt::format("a linear layer for {} features cannot take {}x{}x{} = {} of them: give it in = {}",
                            options_.in, input.channels, input.height, input.width, input.size(), input.size()));
  return sample_shape{options_.out, 1, 1};
}

emitted linear::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto type = p.type();
  constexpr auto f32 = dnn::data_type::f32;
  const auto x = p.convert(site.inputs[0], p.rows(site.input_shape, type));
  const auto y = p.make(p.rows(site.shape, site.last ? f32 : type));
  const auto rows = p.rows(site.shape, type);
  // The weights are multiplied where they lie: bringing them into oneDNN's blocks at each step costs more than it
  // gains.
  const dnn::dims weight_dims = {options_.out, options_.in};
  const dnn::desc weight_desc(weight_dims, type, dnn::tag::ab);
  const dnn::desc transposed({options_.in, options_.out}, type, dnn::tag::ba);
  const auto bias_desc = options_.bias ? dnn::desc({options_.out}, f32, dnn::tag::a) : dnn::desc();
  const auto bias_row = options_.bias ? dnn::desc({1, options_.out}, f32, dnn::tag::ab) : dnn::desc();

  const auto forward =
    dnn::product_of({x.desc(), transposed, bias_row, y.desc()}, site.relu ? dnn::epilogue::relu : dnn::epilogue::none);
  std::vector<weight_argument> weights = {{DNNL_ARG_WEIGHTS, site.slices[0], weight_desc, transposed}};
  if (options_.bias)
    weights.push_back({DNNL_ARG_BIAS, site.slices[1], bias_desc, bias_row});
  const auto operands_of_y =
    with_scratchpad(p, forward, {{{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}}, {x, y}});
  emit_reading(p, "linear", dnnl::matmul(forward), operands_of_y.all, operands_of_y.tensors, weights);
  if (!p.training())
    return {y, {}};

  return {
    y, [=, &p, input = site.inputs[0], relu = site.relu, wants_dx = site.wants_gradient[0],
        slices = std::vector(site.slices.begin(), site.slices.end())](const std::vector<tensor>& gradients) {
      const auto dy = p.convert(relu ? relu_gradient(p, y, gradients[0]) : gradients[0], rows);
      // Straight into the flat buffer, unless tiles are worth a copy.
      const auto order = type == f32 || !dnn::has_tiles() ? dnn::tag::ab : dnn::tag::any;
      const auto hint = dnn::inner_product_forward({x.desc(), weight_desc, bias_desc, dy.desc()}, true, {});
      const auto backward_weights =
        dnn::inner_product_backward_weights({x.desc(), dnn::desc(weight_dims, f32, order), bias_desc, dy.desc()}, hint);
      std::vector<weight_argument> learned = {{DNNL_ARG_DIFF_WEIGHTS, slices[0], backward_weights.diff_weights_desc()}};
      if (slices.size() > 1)
        learned.push_back({DNNL_ARG_DIFF_BIAS, slices[1], bias_desc});
      emit_gradients(p, "linear backward weights", dnnl::inner_product_backward_weights(backward_weights),
                     {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}}, {x, dy}, learned);
      if (!wants_dx)
        return std::vector<tensor>(1);
      const auto dx = p.make(x.desc());
      const auto backward_data = dnn::product_of({dy.desc(), weight_desc, {}, dx.desc()}, dnn::epilogue::none);
      const auto operands_of_dx =
        with_scratchpad(p, backward_data, {{{DNNL_ARG_SRC, dy.memory()}, {DNNL_ARG_DST, dx.memory()}}, {dy, dx}});
      emit_reading(p, "linear backward data", dnnl::matmul(backward_data), operands_of_dx.all, operands_of_dx.tensors,
                   {{DNNL_ARG_WEIGHTS, slices[0], weight_desc}});
      return std::vector<tensor>{p.convert(dx, input.desc())};
    }};
}

} // namespace troupe::learn
