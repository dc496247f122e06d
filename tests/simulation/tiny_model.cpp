#include "tests/simulation/tiny_model.hpp"

#include <array>

#include "tests/support/dice.hpp"

namespace troupe::testing {

namespace {

class tiny_replica final : public learn::replica {
public:
  explicit tiny_replica(std::shared_ptr<const learn::model> m) : model_(std::move(m)) {}

  [[nodiscard]] const learn::model& model() const override { return *model_; }

  void bind(gpu::stream& s, size_t index, const float* data, std::shared_ptr<const void> owner) override {
    s.enqueue([b = bound_, index, data, owner = std::move(owner)]() mutable {
      (*b)[index] = {data, std::move(owner)};
    });
  }

  void train(gpu::stream& s, learn::micro_batch_data in, train_options options, float* gradient,
             learn::batch_result* result, std::function<void(size_t)> on_block) override {
    for (size_t i = tiny_model::blocks; i-- > 0;)
      s.enqueue([b = bound_, in, options, gradient, result, on_block, i, m = model_] {
        const auto& where = m->layout().blocks()[i];
        double loss = 0;
        for (size_t j = 0; j < where.size; ++j) {
          float sum = 0;
          for (int n = 0; n < in.n; ++n) {
            const float error =
              (*b)[i].data[j] - in.images[4 * n + static_cast<int>(j % 4)] * static_cast<float>(i + 1);
            sum += error * options.scale;
            loss += static_cast<double>(error) * static_cast<double>(error);
          }
          gradient[where.offset + j] = sum;
        }
        result->loss_sum += loss;
        result->samples = in.n;
        on_block(i);
      });
  }

  void evaluate(gpu::stream& s, learn::micro_batch_data in, learn::batch_result* result) override {
    s.enqueue([b = bound_, in, result] {
      *result = {.samples = in.n};
      for (int n = 0; n < in.n; ++n)
        result->correct += (*b)[0].data[n % 16] > in.images[size_t{4} * static_cast<size_t>(n)] ? 1 : 0;
    });
  }

private:
  struct source {
    const float* data = nullptr;
    std::shared_ptr<const void> owner;
  };
  std::shared_ptr<const learn::model> model_;
  std::shared_ptr<std::array<source, tiny_model::blocks>> bound_ =
    std::make_shared<std::array<source, tiny_model::blocks>>();
};

std::vector<learn::slice> slices() {
  std::vector<learn::slice> result;
  for (const char* name : {"a", "b", "c", "d"})
    result.push_back({.name = name, .dims = {16}});
  return result;
}

} // namespace

tiny_model::tiny_model() : options_{.name = "tiny", .input = {1, 1, 4}, .classes = 2}, layout_(slices(), 64) {}

void tiny_model::initialise(uint64_t seed, std::span<float> parameters) const {
  dice drawn{seed};
  for (auto& x : parameters)
    x = static_cast<float>(drawn.unit());
}

std::unique_ptr<learn::replica> tiny_model::make_replica(std::shared_ptr<const custom_model> self) const {
  return std::make_unique<tiny_replica>(std::move(self));
}

void tiny_data::read(size_t id, float* out) const {
  dice drawn{id, 7};
  for (int i = 0; i < 4; ++i)
    out[i] = static_cast<float>(drawn.unit());
}

} // namespace troupe::testing
