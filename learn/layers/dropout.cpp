#include "learn/layers/dropout.hpp"

#include <fmt/format.h>

#include "gpu/kernels/dropout.hpp"

namespace troupe::learn {

namespace {

/// The same call drops values on the way forward and their gradients on the way back.
tensor emit_dropout(plan_builder& p, const tensor& given, float rate, uint32_t index) {
  // Drawn in row-major order of the values, in f32, so that the mask depends on no layout.
  const auto dims = dnn::dims_of(given.desc());
  const dnn::desc plain(dims, dnn::data_type::f32, dims.size() == 4 ? dnn::tag::nchw : dnn::tag::nc);
  const auto x = p.convert(given, plain);
  const auto y = p.make(plain);
  p.emit("dropout", {x, y}, [=, n = plain.get_size() / sizeof(float)](const pass& now) {
    const auto& key = now.options.key;
    gpu::kernels::dropout(n, {key.seed, static_cast<uint32_t>(key.step), static_cast<uint32_t>(key.micro_batch), index},
                          rate, x.data<float>(), y.data<float>());
  });
  return p.convert(y, given.desc());
}

} // namespace

expected<sample_shape> dropout::output(sample_shape input) const {
  if (!(rate_ >= 0 && rate_ < 1))
    return fail(fmt::format("dropout with rate {} cannot be: choose 0 <= rate < 1", rate_));
  return input;
}

emitted dropout::emit(const emission_site& site) const {
  auto& p = site.plan;
  if (!p.training())
    return {site.inputs[0], {}};
  const auto y = emit_dropout(p, site.inputs[0], rate_, index_);
  return {y, [&p, rate = rate_, index = index_, wants = site.wants_gradient[0]](std::vector<tensor> gradients) {
            return std::vector<tensor>{wants ? emit_dropout(p, gradients[0], rate, index) : tensor()};
          }};
}

} // namespace troupe::learn
