#pragma once

#include "learn/dataset.hpp"

namespace troupe::learn {

/// Noise of any shape with labels drawn at random: nothing to learn, for measuring the speed of models whose data is
/// not at hand. Pixels are uniform with mean 0 and deviation 1; sample `id` is a pure function of (seed, split, id),
/// drawn anew whenever it is read, so that memory does not grow with the shape.
class random_images final : public dataset {
public:
  enum class split : uint8_t { train, test };
  static constexpr size_t training_samples = 4'096;
  static constexpr size_t test_samples = 256;

  random_images(sample_shape shape, int classes, uint64_t seed, split part);

  [[nodiscard]] size_t size() const override;
  [[nodiscard]] sample_shape shape() const override { return shape_; }
  [[nodiscard]] int classes() const override { return classes_; }
  [[nodiscard]] int32_t label(size_t id) const override;
  void read(size_t id, float* out) const override;

private:
  sample_shape shape_;
  int classes_;
  uint64_t seed_;
  split split_;
};

/// Whether `what` asks for random images: it starts with "random:".
bool names_random_images(const std::string& what);

/// Opens "random:CHANNELSxHEIGHTxWIDTH:CLASSES", say random:3x224x224:1000. Refuses another spelling, and sizes outside
/// 1..64 channels, 1..1024 pixels a side and 2..65536 classes.
expected<data_source> open_random_images(const std::string& what, uint64_t seed);

} // namespace troupe::learn
