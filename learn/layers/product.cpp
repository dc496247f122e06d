#include "learn/layers/product.hpp"

namespace troupe::learn {

operands with_scratchpad(plan_builder& p, const dnnl::primitive_desc_base& d, operands o) {
  const auto wanted = d.scratchpad_desc();
  if (wanted.get_size() > 0) {
    o.tensors.push_back(p.make(wanted));
    o.all.emplace(DNNL_ARG_SCRATCHPAD, o.tensors.back().memory());
  }
  return o;
}

void emit_reading(plan_builder& p, std::string_view name, const dnnl::primitive& what, arguments others,
                  const std::vector<tensor>& touched, const std::vector<weight_argument>& weights) {
  std::vector<std::shared_ptr<prepared_weight>> prepared;
  for (const auto& w : weights) {
    prepared.push_back(p.weight(w.slice, w.described));
    others.emplace(w.argument, prepared.back()->seen_as(w.seen_as.is_zero() ? w.described : w.seen_as));
  }
  p.emit(name, touched, [prepared, op = dnn::operation(what, others)](const pass& now) {
    for (const auto& w : prepared)
      w->refresh(now.parameters);
    op.run();
  });
}

void emit_gradients(plan_builder& p, std::string_view name, const dnnl::primitive& what, arguments others,
                    std::vector<tensor> touched, const std::vector<weight_argument>& weights) {
  std::vector<gradient_target> targets;
  std::vector<size_t> slices;
  for (const auto& w : weights) {
    targets.push_back(p.gradient(w.slice, w.described));
    slices.push_back(w.slice);
    others.emplace(w.argument, targets.back().memory());
    touched.push_back(targets.back().staging());
  }
  p.emit(
    name, touched,
    [targets, op = dnn::operation(what, others)](const pass& now) {
      for (const auto& t : targets)
        t.start(now);
      op.run();
      for (const auto& t : targets)
        t.finish();
    },
    slices);
}

} // namespace troupe::learn
