#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "learn/data/normalisation.hpp"
#include "learn/dataset.hpp"

namespace troupe::learn {

/// The embedded default data set: handwriting-like digits, (1, 28, 28), drawn by a program. Sample `id` is a pure
/// function of (seed, split, id), bit for bit on every platform. It is drawn when it is first read and kept from then
/// on, so that opening costs nothing; memory is bounded by 785 bytes a sample.
class digits final : public dataset {
public:
  enum class split : uint8_t { train, test };
  static constexpr int side = 28;
  static constexpr size_t pixels = size_t{side} * side;
  static constexpr size_t training_samples = 20'000;
  static constexpr size_t test_samples = 2'000;

  digits(uint64_t seed, split part);
  ~digits() override;

  [[nodiscard]] size_t size() const override { return size_; }
  [[nodiscard]] sample_shape shape() const override { return {1, side, side}; }
  [[nodiscard]] int classes() const override { return 10; }
  [[nodiscard]] int32_t label(size_t id) const override;
  void read(size_t id, float* out) const override;
  [[nodiscard]] sample_form form() const override { return {normalise_.lines()}; }
  void read_stored(size_t id, std::byte* out) const override;

  /// The image before normalisation: (28, 28), 0 is paper and 255 is ink. Always drawn anew.
  [[nodiscard]] std::array<uint8_t, pixels> draw(size_t id) const;

private:
  enum class drawn : uint8_t { no, in_progress, yes };

  template <class Use>
  void with_image(size_t id, Use use) const;

  uint64_t seed_;
  split split_;
  size_t size_;
  normalisation normalise_;
  std::unique_ptr<uint8_t[]> images_; // (size, 28, 28), valid where drawn_ says yes
  std::unique_ptr<std::atomic<drawn>[]> drawn_;
};

} // namespace troupe::learn
