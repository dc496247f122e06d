#include "learn/layers/pad_channels.hpp"

#include <fmt/format.h>

#include "gpu/dnn/subsample.hpp"

namespace troupe::learn {

expected<sample_shape> pad_channels::output(sample_shape input) const {
  if (channels_ < input.channels)
    return fail(fmt::format("{} channels cannot be padded to {}: choose at least as many", input.channels, channels_));
  return sample_shape{channels_, (input.height + stride_ - 1) / stride_, (input.width + stride_ - 1) / stride_};
}

emitted pad_channels::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto x = p.as_image(site.inputs[0], site.input_shape);
  const auto y = p.make(p.image(site.shape, dnn::image_order(x.desc())));
  const int first = (channels_ - site.input_shape.channels) / 2;
  p.emit("pad_channels", {x, y},
         [x, y, first, stride = stride_](const pass&) { dnn::subsample(x.memory(), y.memory(), stride, first); });
  return {y, [=, &p, stride = stride_, input = site.inputs[0],
              wants = site.wants_gradient[0]](std::vector<tensor> gradients) {
            if (!wants)
              return std::vector<tensor>(1);
            const auto dx = p.make(x.desc());
            const auto& dy = gradients[0];
            p.emit("pad_channels backward", {dy, dx},
                   [=](const pass&) { dnn::spread_back(dy.memory(), dx.memory(), stride, first); });
            return std::vector<tensor>{p.convert(dx, input.desc())};
          }};
}

} // namespace troupe::learn
