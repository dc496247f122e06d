#include "learn/layers/flatten.hpp"

#include "learn/layers/rows.hpp"

namespace troupe::learn {

expected<sample_shape> flatten::output(sample_shape input) const {
  return sample_shape{static_cast<int>(input.size()), 1, 1};
}

emitted flatten::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto m = as_rows(p, site.inputs[0], dnn::type_of(site.inputs[0].desc()));
  return {m.rows, [m, &p, wants_dx = site.wants_gradient[0]](std::vector<tensor> gradients) {
            return std::vector<tensor>{wants_dx ? from_rows(p, m, gradients[0]) : tensor()};
          }};
}

} // namespace troupe::learn
