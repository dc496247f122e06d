#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::learn {

/// `trainable` slices have gradients. `statistic` slices (running mean and variance of batch norm) have no gradient;
/// the replica writes the batch's statistic where the gradient would be, and the update is an exponential moving
/// average, so that they too are a weighted mean over micro-batches, whoever computed them.
enum class slice_kind : uint8_t { trainable, statistic };

/// A named tensor inside the flat parameter buffer, row-major, torchvision's name and shape.
struct slice {
  std::string name;
  std::vector<int64_t> dims;
  slice_kind kind = slice_kind::trainable;
  size_t offset = 0; ///< in floats, a multiple of 16 (64 bytes)
  size_t size = 0;   ///< in floats: product of dims
};

/// A contiguous run of whole slices of one kind: the unit in which gradients leave and parameters are owned.
struct block {
  size_t offset = 0; ///< in floats, a multiple of 16
  size_t size = 0;   ///< in floats, padding included, a multiple of 16
  slice_kind kind = slice_kind::trainable;
  size_t first = 0; ///< index of the first slice
  size_t last = 0;  ///< one past the index of the last slice
};

/// How the parameters of a model lie in one flat buffer of floats: trainable slices first, in order of construction,
/// then the statistics. Gaps between slices are padding, always zero. Gradient and optimiser-state buffers have the
/// same layout.
class layout {
public:
  layout() = default;
  /// Assigns offsets to `slices` (offset and size are ignored on input) and cuts them into blocks of about
  /// `block_bytes`; a slice is never cut.
  explicit layout(std::vector<slice> slices, size_t block_bytes = 4u << 20);

  [[nodiscard]] std::span<const slice> slices() const { return slices_; }
  [[nodiscard]] std::span<const block> blocks() const { return blocks_; }
  /// Floats in the flat buffer, padding included.
  [[nodiscard]] size_t size() const { return size_; }
  /// Trainable parameters, padding not counted.
  [[nodiscard]] size_t parameters() const;
  /// Null where there is no such slice.
  [[nodiscard]] const slice* find(std::string_view name) const;
  /// The block that holds slice `index`.
  [[nodiscard]] size_t block_of(size_t index) const;

private:
  std::vector<slice> slices_;
  std::vector<block> blocks_;
  size_t size_ = 0;
};

} // namespace troupe::learn
