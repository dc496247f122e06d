#include "learn/models/none.hpp"

#include <algorithm>

namespace troupe::learn::models {

namespace {

class none_replica : public replica {
public:
  explicit none_replica(std::shared_ptr<const learn::model> m) : model_(std::move(m)) {}

  [[nodiscard]] const learn::model& model() const override { return *model_; }

  void bind(gpu::stream& s, size_t, const float*, std::shared_ptr<const void> owner) override {
    s.enqueue([bound = bound_, owner = std::move(owner)]() mutable { *bound = std::move(owner); });
  }

  void train(gpu::stream& s, micro_batch_data in, train_options, float* gradient, batch_result* result,
             std::function<void(size_t)> on_block) override {
    s.enqueue([size = model_->layout().size(), n = in.n, gradient, result, on_block = std::move(on_block)] {
      std::fill_n(gradient, size, 0.0f);
      *result = {.samples = n};
      if (on_block)
        on_block(0);
    });
  }

  void evaluate(gpu::stream& s, micro_batch_data in, batch_result* result) override {
    s.enqueue([n = in.n, result] { *result = {.samples = n}; });
  }

private:
  std::shared_ptr<const learn::model> model_;
  std::shared_ptr<std::shared_ptr<const void>> bound_ = std::make_shared<std::shared_ptr<const void>>();
};

} // namespace

none::none(model_options options) : options_(std::move(options)), layout_({{.name = "weight", .dims = {16}}}) {}

void none::initialise(uint64_t, std::span<float> parameters) const {
  std::fill(parameters.begin(), parameters.end(), 0.0f);
}

std::unique_ptr<replica> none::make_replica(std::shared_ptr<const custom_model> self) const {
  return std::make_unique<none_replica>(std::move(self));
}

} // namespace troupe::learn::models
