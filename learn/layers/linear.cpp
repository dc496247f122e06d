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
  const dnn::dims weight_dims = {options_.out, options_.in};
  const dnn::desc weight_desc(weight_dims, type, dnn::tag::any);
  const auto bias_desc = options_.bias ? dnn::desc({options_.out}, f32, dnn::tag::a) : dnn::desc();

  const auto forward = dnn::inner_product_forward({x.desc(), weight_desc, bias_desc, y.desc()}, p.training(),
                                                  site.relu ? dnn::epilogue::relu : dnn::epilogue::none);
  std::vector<weight_argument> weights = {{DNNL_ARG_WEIGHTS, site.slices[0], forward.weights_desc()}};
  if (options_.bias)
    weights.push_back({DNNL_ARG_BIAS, site.slices[1], bias_desc});
  emit_reading(p, "linear", dnnl::inner_product_forward(forward),
               {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DST, y.memory()}}, {x, y}, weights);
  if (!p.training())
    return {y, {}};

  return {
    y, [=, &p, input = site.inputs[0], relu = site.relu, wants_dx = site.wants_gradient[0],
        slices = std::vector(site.slices.begin(), site.slices.end())](const std::vector<tensor>& gradients) {
      const auto dy = p.convert(relu ? relu_gradient(p, y, gradients[0]) : gradients[0], rows);
      // Straight into the flat buffer, unless tiles are worth a copy.
      const auto order = type == f32 || !dnn::has_tiles() ? dnn::tag::ab : dnn::tag::any;
      const auto backward_weights = dnn::inner_product_backward_weights(
        {x.desc(), dnn::desc(weight_dims, f32, order), bias_desc, dy.desc()}, forward);
      std::vector<weight_argument> learned = {{DNNL_ARG_DIFF_WEIGHTS, slices[0], backward_weights.diff_weights_desc()}};
      if (slices.size() > 1)
        learned.push_back({DNNL_ARG_DIFF_BIAS, slices[1], bias_desc});
      emit_gradients(p, "linear backward weights", dnnl::inner_product_backward_weights(backward_weights),
                     {{DNNL_ARG_SRC, x.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}}, {x, dy}, learned);
      if (!wants_dx)
        return std::vector<tensor>(1);
      const auto backward_data = dnn::inner_product_backward_data({x.desc(), weight_desc, {}, dy.desc()}, forward);
      const auto dx = p.make(x.desc());
      emit_reading(p, "linear backward data", dnnl::inner_product_backward_data(backward_data),
                   {{DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}}, {dy, dx},
                   {{DNNL_ARG_WEIGHTS, slices[0], backward_data.weights_desc()}});
      return std::vector<tensor>{p.convert(dx, input.desc())};
    }};
}

} // namespace troupe::learn
