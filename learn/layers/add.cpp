#include "learn/layers/add.hpp"

#include "gpu/dnn/sum.hpp"
#include "learn/layers/relu_gradient.hpp"

namespace troupe::learn {

namespace {

tensor emit_sum_of_two(plan_builder& p, const tensor& a, const tensor& b, bool relu) {
  auto y = p.make(a.desc());
  p.emit("add", {a, b, y}, [=](const pass&) { dnn::sum(a.memory(), b.memory(), y.memory(), relu); });
  return y;
}

} // namespace

tensor emit_sum(plan_builder& p, const std::vector<tensor>& all) {
  tensor total = all.front();
  for (size_t i = 1; i < all.size(); ++i)
    total = emit_sum_of_two(p, total, all[i], false);
  return total;
}

emitted add::emit(const emission_site& site) const {
  auto& p = site.plan;
  const auto a = site.inputs[0];
  const auto b = p.convert(site.inputs[1], a.desc());
  const auto y = emit_sum_of_two(p, a, b, site.relu);
  return {
    y, [=, &p, relu = site.relu, given = site.inputs[1], wants = site.wants_gradient](std::vector<tensor> gradients) {
      const auto dy = relu ? relu_gradient(p, y, gradients[0]) : gradients[0];
      return std::vector<tensor>{wants[0] ? dy : tensor(), wants[1] ? p.convert(dy, given.desc()) : tensor()};
    }};
}

} // namespace troupe::learn
