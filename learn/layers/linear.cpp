#include "learn/layers/linear.hpp"

#include <fmt/format.h>

#include "learn/layers/rows.hpp"

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
  const auto f32 = dnn::data_type::f32;
  const auto x = as_rows(p, site.inputs[0], type);
  const dnn::desc weights({options_.out, options_.in}, type, dnn::tag::any);
  const auto bias = options_.bias ? dnn::desc({options_.out}, f32, dnn::tag::a) : dnn::desc();
  const auto y_desc = p.rows(site.shape, site.last ? f32 : type);

  const auto forward = dnn::inner_product_forward({x.rows.desc(), weights, bias, y_desc}, p.training(),
                                                  site.relu ? dnn::epilogue::relu : dnn::epilogue::none);
  const auto w = p.weight(site.slices[0], forward.weights_desc());
  const auto b = options_.bias ? p.weight(site.slices[1], bias) : nullptr;
  const auto y = p.make(y_desc);
  std::unordered_map<int, dnn::memory> arguments = {
    {DNNL_ARG_SRC, x.rows.memory()}, {DNNL_ARG_WEIGHTS, w->memory()}, {DNNL_ARG_DST, y.memory()}};
  if (b)
    arguments.emplace(DNNL_ARG_BIAS, b->memory());
  p.emit("linear", {x.rows, y},
         [w, b, op = dnn::operation(dnnl::inner_product_forward(forward), arguments)](const pass& now) {
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
      auto dy = relu ? relu_gradient(p, y, gradients[0]) : gradients[0];
      dy = p.convert(dy, dnn::desc(dnn::dims_of(dy.desc()), type, dnn::tag::nc));

      const auto backward_weights = dnn::inner_product_backward_weights(
        {x.rows.desc(), dnn::desc({o.out, o.in}, f32, dnn::tag::any), bias, dy.desc()}, forward);
      const auto dw = p.gradient(slices[0], backward_weights.diff_weights_desc());
      std::unordered_map<int, dnn::memory> weight_arguments = {
        {DNNL_ARG_SRC, x.rows.memory()}, {DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_DIFF_WEIGHTS, dw.memory()}};
      std::vector<gradient_target> targets = {dw};
      if (o.bias) {
        targets.push_back(p.gradient(slices[1], bias));
        weight_arguments.emplace(DNNL_ARG_DIFF_BIAS, targets[1].memory());
      }
      tensor dx;
      if (wants_dx) {
        const auto backward_data = dnn::inner_product_backward_data({x.rows.desc(), weights, {}, dy.desc()}, forward);
        const auto w_back = p.weight(slices[0], backward_data.weights_desc());
        dx = p.make(x.rows.desc());
        const dnn::operation op(
          dnnl::inner_product_backward_data(backward_data),
          {{DNNL_ARG_DIFF_DST, dy.memory()}, {DNNL_ARG_WEIGHTS, w_back->memory()}, {DNNL_ARG_DIFF_SRC, dx.memory()}});
        p.emit("linear backward data", {dy, dx}, [w_back, op](const pass& now) {
          w_back->refresh(now.parameters);
          op.run();
        });
        dx = from_rows(p, x, dx);
      }
      p.emit(
        "linear backward weights", {x.rows, dy, dw.staging()},
        [targets, op = dnn::operation(dnnl::inner_product_backward_weights(backward_weights), weight_arguments)](
          const pass& now) {
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
