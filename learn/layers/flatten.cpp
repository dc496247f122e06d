#include "learn/layers/flatten.hpp"

namespace troupe::learn {

expected<sample_shape> flatten::output(sample_shape input) const {
  return sample_shape{static_cast<int>(input.size()), 1, 1};
}

emitted flatten::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto x = site.inputs[0];
  return {p.convert(x, p.rows(site.shape, dnn::type_of(x.desc()))),
          [x, &p, wants_dx = site.wants_gradient[0]](const std::vector<tensor>& gradients) {
            return std::vector<tensor>{wants_dx ? p.convert(gradients[0], x.desc()) : tensor()};
          }};
}

} // namespace troupe::learn
