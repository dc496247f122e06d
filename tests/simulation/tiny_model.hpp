#pragma once

#include "learn/dataset.hpp"
#include "learn/replica.hpp"

namespace troupe::testing {

/// Pulls its parameters towards a linear function of the samples: four blocks of 16 parameters each, computed in a
/// microsecond, in which every sample of every step leaves its trace. A lost or doubled micro-batch shows in the bits.
class tiny_model final : public learn::custom_model {
public:
  static constexpr size_t blocks = 4;

  tiny_model();
  [[nodiscard]] const learn::model_options& options() const override { return options_; }
  [[nodiscard]] const learn::layout& layout() const override { return layout_; }
  void initialise(uint64_t seed, std::span<float> parameters) const override;
  [[nodiscard]] std::unique_ptr<learn::replica> make_replica(std::shared_ptr<const custom_model> self) const override;

private:
  learn::model_options options_;
  learn::layout layout_;
};

/// Samples of four numbers drawn from their id.
class tiny_data final : public learn::dataset {
public:
  explicit tiny_data(size_t size) : size_(size) {}
  [[nodiscard]] size_t size() const override { return size_; }
  [[nodiscard]] learn::sample_shape shape() const override { return {1, 1, 4}; }
  [[nodiscard]] int classes() const override { return 2; }
  [[nodiscard]] int32_t label(size_t id) const override { return static_cast<int32_t>(id % 2); }
  void read(size_t id, float* out) const override;

private:
  size_t size_;
};

} // namespace troupe::testing
