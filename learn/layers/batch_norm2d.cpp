#include "learn/layers/batch_norm2d.hpp"

#include <array>
#include <fmt/format.h>

#include "gpu/dnn/batch_norm.hpp"

namespace troupe::learn {

namespace {

constexpr float epsilon = 1e-5f;

enum which : size_t { weight, bias, running_mean, running_variance };

/// What forward and backward share.
struct normalisation {
  dnn::batch_norm kernel;
  tensor x;
  tensor addend; ///< empty: none
  tensor y;
  tensor positive; ///< masks; empty: no ReLU, or no backward pass
  bool relu;
  std::array<std::shared_ptr<prepared_weight>, 4> parameters; ///< by `which`
  std::array<size_t, 4> slices;

  const float* parameter(which i) const { return static_cast<const float*>(parameters[i]->memory().get_data_handle()); }
  dnn::batch_norm::forward_buffers buffers() const {
    return {x.data<void>(), addend ? addend.data<void>() : nullptr, y.data<void>(),
            positive ? positive.data<uint16_t>() : nullptr};
  }
};

void write_statistics(const normalisation& s, const pass& now, const layout& l) {
  const float share = now.options.scale * static_cast<float>(now.in.n);
  const auto& mean_slice = l.slices()[s.slices[running_mean]];
  const auto& variance_slice = l.slices()[s.slices[running_variance]];
  for (size_t i = 0; i < mean_slice.size; ++i) {
    now.gradient[mean_slice.offset + i] = share * s.kernel.mean()[i];
    now.gradient[variance_slice.offset + i] = share * s.kernel.variance()[i];
  }
}

void emit_training(plan_builder& p, const std::shared_ptr<normalisation>& s) {
  p.emit("batch_norm2d", {s->x, s->addend, s->y, s->positive},
         [s, &l = p.layout()](const pass& now) {
           for (const auto& parameter : s->parameters)
             parameter->refresh(now.parameters);
           s->kernel.forward({s->parameter(weight), s->parameter(bias)}, s->buffers(), s->relu);
           write_statistics(*s, now, l);
         },
         {s->slices[running_mean], s->slices[running_variance]});
}

void emit_inference(plan_builder& p, const std::shared_ptr<normalisation>& s) {
  p.emit("batch_norm2d", {s->x, s->addend, s->y}, [s](const pass& now) {
    for (const auto& parameter : s->parameters)
      parameter->refresh(now.parameters);
    s->kernel.infer({s->parameter(weight), s->parameter(bias)},
                    {s->parameter(running_mean), s->parameter(running_variance)}, s->buffers(), s->relu);
  });
}

} // namespace

std::vector<parameter> batch_norm2d::parameters() const {
  return {{.name = "weight", .dims = {channels_}, .initial = initial_value::ones},
          {.name = "bias", .dims = {channels_}},
          {.name = "running_mean", .dims = {channels_}, .kind = slice_kind::statistic},
          {.name = "running_var", .dims = {channels_}, .initial = initial_value::ones, .kind = slice_kind::statistic}};
}

expected<sample_shape> batch_norm2d::output(sample_shape input) const {
  if (input.channels != channels_)
    return fail(fmt::format("a batch normalisation of {} channels cannot take {}: give it as many as its input has",
                            channels_, input.channels));
  return input;
}

emitted batch_norm2d::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto x = p.as_image(site.inputs[0], site.shape);
  const auto desc = x.desc();
  const auto addend = site.inputs.size() > 1 ? p.convert(site.inputs[1], desc) : tensor();
  const auto s = std::make_shared<normalisation>(
    normalisation{dnn::batch_norm(desc, epsilon), x, addend, {}, {}, site.relu, {}, {}});
  for (size_t i = 0; i < s->slices.size(); ++i) {
    s->slices[i] = site.slices[i];
    s->parameters[i] = p.weight(site.slices[i], {{channels_}, dnn::data_type::f32, dnn::tag::a});
  }
  s->y = p.make(desc);
  if (!p.training()) {
    emit_inference(p, s);
    return {s->y, {}};
  }
  const auto masks = static_cast<int64_t>(dnn::channel_groups::of(desc).masks());
  if (site.relu)
    s->positive = p.make({{masks * static_cast<int64_t>(sizeof(uint16_t))}, dnn::data_type::u8, dnn::tag::a});
  emit_training(p, s);

  return {s->y, [s, &p, desc, inputs = site.inputs, wants = site.wants_gradient](std::vector<tensor> gradients) {
            const auto dy = gradients[0];
            const auto more_dy = gradients.size() > 1 ? gradients[1] : tensor();
            const bool wants_addend = s->addend && wants[1];
            // Without a ReLU and a second gradient, the addend's gradient is dy itself.
            const bool writes_sum = more_dy || (wants_addend && s->relu);
            const auto dsum = writes_sum ? p.make(desc) : tensor();
            const auto dx = p.make(desc);
            p.emit("batch_norm2d backward", {dy, more_dy, s->x, s->positive, dsum, dx},
                   [=, &l = p.layout()](const pass& now) {
                     s->kernel.backward(s->parameter(weight),
                                        {.dy = dy.data<void>(),
                                         .more_dy = more_dy ? more_dy.data<void>() : nullptr,
                                         .x = s->x.data<void>(),
                                         .positive = s->positive ? s->positive.data<uint16_t>() : nullptr,
                                         .dsum = dsum ? dsum.data<void>() : nullptr,
                                         .dx = dx.data<void>(),
                                         .dweight = now.gradient + l.slices()[s->slices[weight]].offset,
                                         .dbias = now.gradient + l.slices()[s->slices[bias]].offset});
                   },
                   {s->slices[weight], s->slices[bias]});
            std::vector<tensor> outgoing = {wants[0] ? p.convert(dx, inputs[0].desc()) : tensor()};
            if (s->addend)
              outgoing.push_back(wants_addend ? p.convert(writes_sum ? dsum : dy, inputs[1].desc()) : tensor());
            return outgoing;
          }};
}

} // namespace troupe::learn
