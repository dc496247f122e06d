#pragma once

#include "learn/model.hpp"
#include "learn/replica.hpp"

namespace troupe::learn::models {

/// One block of 16 parameters and no computation: what remains of a step is its messages. For the overhead benchmark.
class none : public custom_model {
public:
  explicit none(model_options options);

  [[nodiscard]] const model_options& options() const override { return options_; }
  [[nodiscard]] const learn::layout& layout() const override { return layout_; }
  void initialise(uint64_t seed, std::span<float> parameters) const override;
  /// Its gradient and loss are zero.
  [[nodiscard]] std::unique_ptr<replica> make_replica(std::shared_ptr<const custom_model> self) const override;

private:
  model_options options_;
  learn::layout layout_;
};

} // namespace troupe::learn::models
