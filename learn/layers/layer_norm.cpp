#include "learn/layers/layer_norm.hpp"

#include <fmt/format.h>

#include "gpu/dnn/layer_norm.hpp"

namespace troupe::learn {

std::vector<parameter> layer_norm::parameters() const {
  // A sample of features has one dimension, as in PyTorch; an image three.
  const bool image = shape_.height > 1 || shape_.width > 1;
  const auto dims =
    image ? std::vector<int64_t>{shape_.channels, shape_.height, shape_.width} : std::vector<int64_t>{shape_.channels};
  return {{.name = "weight", .dims = dims, .initial = initial_value::ones}, {.name = "bias", .dims = dims}};
}

expected<sample_shape> layer_norm::output(sample_shape input) const {
  if (input != shape_)
    return fail(fmt::format("a layer normalisation of {}x{}x{} cannot take {}x{}x{}: give it its input's shape",
                            shape_.channels, shape_.height, shape_.width, input.channels, input.height, input.width));
  return input;
}

emitted layer_norm::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto f32 = dnn::data_type::f32;
  const auto x = p.convert(site.inputs[0], p.rows(shape_, f32));
  const auto y = p.make(x.desc());
  const auto statistics = p.make({{p.samples(), 2}, f32, dnn::tag::nc});
  const dnn::layer_norm_sizes sizes = {static_cast<size_t>(p.samples()), shape_.size()};
  const auto weight_slice = site.slices[0];
  const auto bias_slice = site.slices[1];
  p.emit("layer_norm", {x, y, statistics}, [=](const pass& now) {
    dnn::run(sizes,
             dnn::layer_norm_forward{x.data<float>(), now.parameters[weight_slice].data,
                                     now.parameters[bias_slice].data, y.data<float>(), statistics.data<float>()});
  });
  const auto input = site.inputs[0];
  return {p.convert(y, input.desc()), [=, &p, wants = site.wants_gradient[0]](std::vector<tensor> gradients) {
            const auto dy = p.convert(gradients[0], x.desc());
            const auto dx = p.make(x.desc());
            p.emit("layer_norm backward", {dy, x, statistics, dx},
                   [=, &l = p.layout()](const pass& now) {
                     dnn::run(sizes,
                              dnn::layer_norm_backward{dy.data<float>(), x.data<float>(),
                                                       now.parameters[weight_slice].data, statistics.data<float>(),
                                                       dx.data<float>(), now.gradient + l.slices()[weight_slice].offset,
                                                       now.gradient + l.slices()[bias_slice].offset});
                   },
                   {weight_slice, bias_slice});
            return std::vector<tensor>{wants ? p.convert(dx, input.desc()) : tensor()};
          }};
}

} // namespace troupe::learn
