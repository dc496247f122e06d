#include "learn/local_steps.hpp"

#include <algorithm>
#include <utility>

#include "gpu/kernels/reduce.hpp"
#include "learn/flat.hpp"

namespace troupe::learn {

struct local_steps::buffers {
  buffers(std::shared_ptr<const learn::model> m, int states, uint64_t steps)
    : model(std::move(m)), parameters(model->layout().size()), gradient(parameters.size()),
      state(static_cast<size_t>(states)), results(steps) {
    for (auto& each : state)
      each = flat{parameters.size()};
  }

  std::shared_ptr<const learn::model> model; // whose layout is worked with
  flat parameters;
  flat gradient;
  std::vector<flat> state;
  std::vector<batch_result> results; // by step
};

local_steps::local_steps(std::shared_ptr<const learn::model> m, options how)
  : model_(std::move(m)), options_(how),
    buffers_(std::make_shared<buffers>(model_, state_buffers(options_.optimizer), options_.steps)) {}

void local_steps::run(gpu::stream& s, replica& with, std::span<const place> from, micro_batch_data in, const round& now,
                      float* contribution, batch_result* result, std::function<void(size_t block)> on_block) {
  const auto blocks = model_->layout().blocks();
  const auto base = std::vector<place>(from.begin(), from.end());
  s.enqueue([b = buffers_, blocks, base] {
    for (size_t i = 0; i < blocks.size(); ++i)
      gpu::kernels::copy(blocks[i].size, base[i].data, b->parameters.data() + blocks[i].offset);
    for (auto& each : b->state)
      std::ranges::fill(each.values(), 0.f);
    std::ranges::fill(b->results, batch_result{});
  });
  const auto sample = model_->options().input.size();
  auto& own = *buffers_;
  uint64_t taken = 0;
  for (size_t first = 0; first < static_cast<size_t>(in.n); first += now.samples_per_step, ++taken) {
    const auto n = std::min(now.samples_per_step, static_cast<size_t>(in.n) - first);
    // Bound again each time: what a replica has made of the parameters before is of no use after they have changed.
    for (size_t i = 0; i < blocks.size(); ++i)
      with.bind(s, i, own.parameters.data() + blocks[i].offset, own.parameters.owner());
    auto key = now.key;
    key.step = key.step * options_.steps + taken;
    with.train(s, {in.images + first * sample, in.labels + first, static_cast<int>(n)},
               {key, 1.f / static_cast<float>(n)}, own.gradient.data(), &own.results[taken], [](size_t) {});
    const auto rate = learning_rate(options_.schedule, options_.optimizer.learning_rate, key.step);
    for (const auto& each : blocks) {
      auto* parameters = own.parameters.data() + each.offset;
      auto state = std::vector<float*>{};
      for (auto& one : own.state)
        state.push_back(one.data() + each.offset);
      update(s, options_.optimizer, {taken + 1, rate, 1}, each, own.gradient.data() + each.offset, parameters,
             parameters, state);
    }
  }
  s.enqueue([b = buffers_, blocks, base, contribution, result, weight = now.weight, on_block = std::move(on_block)] {
    for (const auto& each : b->results) {
      result->loss_sum += each.loss_sum;
      result->correct += each.correct;
      result->samples += each.samples;
    }
    for (size_t i = blocks.size(); i-- > 0;) {
      const auto& block = blocks[i];
      const auto* after = b->parameters.data() + block.offset;
      auto* to = contribution + block.offset;
      if (block.kind == slice_kind::trainable) {
        gpu::kernels::difference(block.size, base[i].data, after, weight, to);
      } else {
        gpu::kernels::copy(block.size, after, to);
        gpu::kernels::scale(block.size, weight, to);
      }
      if (on_block)
        on_block(i);
    }
  });
  for (size_t i = 0; i < blocks.size(); ++i)
    with.bind(s, i, base[i].data, base[i].owner);
}

} // namespace troupe::learn
