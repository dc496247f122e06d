#include "learn/local_steps.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <vector>

#include "learn/flat.hpp"

using namespace troupe;
using namespace troupe::learn;

namespace {

constexpr size_t samples = 12;
constexpr size_t per_step = 4;

/// A model of seed 1 on a device of its own, with fixed noise to learn.
struct bench {
  explicit bench(const char* name)
    : of(*make_model({.name = name, .input = {3, 16, 16}, .classes = 10, .arithmetic = precision::f32})),
      where(gpu::device::host({.index = 0, .threads = 1})), stream(where, [](const std::exception_ptr&) { FAIL(); }),
      start(of->layout().size()), images(of->options().input.size() * samples), with(*make_replica(of, where)) {
    of->initialise(1, start.values());
    uint32_t random = 1;
    for (auto& x : images)
      x = static_cast<float>((random = random * 1664525 + 1013904223) >> 8) * 0x1p-23f - 1;
    for (size_t i = 0; i < samples; ++i)
      labels.push_back(static_cast<int32_t>(i * 7 % 10));
  }

  void bind(flat& to) {
    for (size_t i = 0; i < of->layout().blocks().size(); ++i)
      with->bind(stream, i, to.data() + of->layout().blocks()[i].offset, to.owner());
  }

  [[nodiscard]] micro_batch_data part(size_t first, size_t n) const {
    return {images.data() + first * of->options().input.size(), labels.data() + first, static_cast<int>(n)};
  }

  batch_result evaluate() {
    batch_result r;
    with->evaluate(stream, part(0, samples), &r);
    stream.synchronize();
    return r;
  }

  struct outcome {
    flat contribution;
    batch_result result;
    std::vector<size_t> finished;
  };
  outcome run(const local_steps::options& how, float weight, size_t n) {
    outcome o{flat{start.size()}, {}, {}};
    std::vector<local_steps::place> from;
    for (const auto& each : of->layout().blocks())
      from.push_back({start.data() + each.offset, start.owner()});
    local_steps steps{of, how};
    steps.run(stream, *with, from, part(0, n), {{1, 0, 0}, weight, per_step}, o.contribution.data(), &o.result,
              [&](size_t b) { o.finished.push_back(b); });
    stream.synchronize();
    return o;
  }

  /// What training step after step makes of the parameters.
  flat trained(const optimizer_options& optimizer, uint64_t steps) {
    flat now{start.size()};
    std::copy_n(start.data(), start.size(), now.data());
    flat gradient{start.size()};
    std::vector<flat> state(static_cast<size_t>(state_buffers(optimizer)));
    for (auto& s : state)
      s = flat{start.size()};
    batch_result r;
    for (uint64_t i = 0; i < steps; ++i) {
      bind(now);
      with->train(stream, part(i * per_step, per_step), {{1, i, 0}, 1.f / per_step}, gradient.data(), &r, nullptr);
      for (const auto& each : of->layout().blocks()) {
        std::vector<float*> at;
        at.reserve(state.size());
        for (auto& s : state)
          at.push_back(s.data() + each.offset);
        update(stream, optimizer, {i + 1, optimizer.learning_rate, 1}, each, gradient.data() + each.offset,
               now.data() + each.offset, now.data() + each.offset, at);
      }
    }
    stream.synchronize();
    return now;
  }

  std::shared_ptr<const model> of;
  gpu::device where;
  gpu::stream stream;
  flat start;
  std::vector<float> images;
  std::vector<int32_t> labels;
  std::unique_ptr<replica> with;
};

} // namespace

TEST_CASE("local steps contribute how far plain training gets from the parameters they start with") {
  for (const auto kind : {optimizer_kind::sgd, optimizer_kind::momentum, optimizer_kind::adamw}) {
    bench b{"resnet20"};
    const optimizer_options inner{.kind = kind, .learning_rate = 0.01f};
    const auto o = b.run({3, inner, {}}, 0.25f, samples);
    const auto after = b.trained(inner, 3);
    for (const auto& each : b.of->layout().blocks())
      for (size_t i = each.offset; i < each.offset + each.size; ++i) {
        const auto wanted =
          each.kind == slice_kind::trainable ? (b.start.data()[i] - after.data()[i]) * 0.25f : after.data()[i] * 0.25f;
        REQUIRE(o.contribution.data()[i] == wanted);
      }
    CHECK(o.result.samples == samples);
    CHECK(o.finished.size() == b.of->layout().blocks().size());
  }
}

TEST_CASE("the replica is left with the parameters that it had, and a second round starts anew") {
  bench b{"resnet20"};
  b.bind(b.start);
  const auto before = b.evaluate().loss_sum;
  const optimizer_options inner{.kind = optimizer_kind::momentum, .learning_rate = 0.01f};
  const auto first = b.run({3, inner, {}}, 1, samples);
  CHECK(b.evaluate().loss_sum == before);
  const auto second = b.run({3, inner, {}}, 1, samples);
  for (size_t i = 0; i < b.start.size(); ++i)
    REQUIRE(first.contribution.data()[i] == second.contribution.data()[i]);
}

TEST_CASE("a worker with fewer samples takes fewer steps, the last one with what is left") {
  bench b{"resnet20"};
  const optimizer_options inner{.kind = optimizer_kind::sgd, .learning_rate = 0.01f};
  CHECK(b.run({3, inner, {}}, 1, 6).result.samples == 6);
}
