#include "learn/network.hpp"

#include <algorithm>
#include <cmath>

#include "gpu/kernels/philox.hpp"
#include "learn/layers/add.hpp"

namespace troupe::learn {

namespace {

/// FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), 64 bits.
uint64_t hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : text)
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

/// U(-bound, bound), a pure function of (seed, name, position).
void fill_uniform(uint64_t seed, const std::string& name, float bound, std::span<float> to) {
  const uint64_t id = hash(name);
  for (size_t i = 0; i < to.size(); i += 4) {
    const auto words =
      gpu::philox4x32({static_cast<uint32_t>(i / 4), 0, static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32)},
                      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    for (size_t k = i; k < std::min(i + 4, to.size()); ++k)
      to[k] = bound * (static_cast<float>(words[k - i] >> 8) * 0x1p-23f - 1.0f);
  }
}

std::vector<slice> slices_of(const std::vector<network::named_parameter>& parameters) {
  std::vector<slice> all;
  all.reserve(parameters.size());
  for (const auto& p : parameters)
    all.push_back({.name = p.name, .dims = p.what.dims, .kind = p.what.kind});
  return all;
}

} // namespace

/// What is known of each value while a plan is built.
struct network::values {
  std::vector<tensor> tensors;                ///< by value
  std::vector<backward_emitter> backward;     ///< by node
  std::vector<std::vector<tensor>> gradients; ///< by value: contributions so far
};

network::network(model_options options, std::vector<node> nodes, std::vector<named_parameter> parameters,
                 loss_kind loss)
  : options_(std::move(options)), nodes_(std::move(nodes)), parameters_(std::move(parameters)),
    layout_(slices_of(parameters_)), learns_{false}, loss_(loss) {
  for (const auto& n : nodes_) {
    auto& slices = slices_.emplace_back();
    for (size_t p : n.parameters)
      slices.push_back(static_cast<size_t>(layout_.find(parameters_[p].name) - layout_.slices().data()));
    learns_.push_back(!n.parameters.empty() ||
                      std::any_of(n.inputs.begin(), n.inputs.end(), [&](size_t i) { return learns_[i]; }));
  }
}

void network::initialise(uint64_t seed, std::span<float> parameters) const {
  std::fill(parameters.begin(), parameters.end(), 0.0f);
  for (const auto& p : parameters_) {
    const auto* s = layout_.find(p.name);
    const auto to = parameters.subspan(s->offset, s->size);
    switch (p.what.initial) {
    case initial_value::zeros:
      break;
    case initial_value::ones:
      std::fill(to.begin(), to.end(), 1.0f);
      break;
    case initial_value::uniform:
      fill_uniform(seed, p.name, 1.0f / std::sqrt(static_cast<float>(p.what.fan_in)), to);
      break;
    }
  }
}

void network::emit_forward(plan_builder& p, values& v) const {
  v.tensors.push_back(p.images());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const auto& n = nodes_[i];
    emission_site site = {.plan = p,
                          .inputs = {},
                          .wants_gradient = {},
                          .slices = slices_[i],
                          .input_shape = n.inputs[0] == 0 ? options_.input : nodes_[n.inputs[0] - 1].shape,
                          .shape = n.shape,
                          .relu = n.relu,
                          .last = i + 1 == nodes_.size()};
    for (size_t input : n.inputs) {
      site.inputs.push_back(v.tensors[input]);
      site.wants_gradient.push_back(learns_[input]);
    }
    auto done = n.what->emit(site);
    v.tensors.push_back(std::move(done.output));
    v.backward.push_back(std::move(done.backward));
  }
}

void network::emit_backward(plan_builder& p, values& v) const {
  for (size_t i = nodes_.size(); i-- > 0;) {
    const auto& n = nodes_[i];
    auto incoming = std::move(v.gradients[i + 1]);
    if (incoming.empty() || !learns_[i + 1])
      continue;
    if (incoming.size() > n.what->gradients_taken())
      incoming = {emit_sum(p, incoming)};
    const auto outgoing = v.backward[i](std::move(incoming));
    for (size_t k = 0; k < n.inputs.size(); ++k)
      if (outgoing[k])
        v.gradients[n.inputs[k]].push_back(outgoing[k]);
  }
}

plan network::make_plan(int samples, bool training, prepared_weights& weights) const {
  plan_builder p({.of = *this, .samples = samples, .training = training, .weights = weights});
  values v;
  emit_forward(p, v);
  const auto& logits = v.tensors.back();
  const auto gradient = emit_loss(p, loss_, logits, nodes_.back().shape);
  if (training) {
    v.gradients.resize(v.tensors.size());
    v.gradients.back().push_back(gradient);
    emit_backward(p, v);
  }
  return p.finish();
}

} // namespace troupe::learn
