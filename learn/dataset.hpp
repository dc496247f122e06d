#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "learn/data/normalisation.hpp"
#include "learn/model.hpp"
#include "messages/failure.hpp"

namespace troupe::learn {

/// How a set stores a sample, which is also how it passes from process to process: as bytes, with what makes floats of
/// each channel's, or, where there are no lines, as the floats that reading yields.
struct sample_form {
  std::vector<normalisation::line> lines;

  /// Of a sample as it is stored.
  [[nodiscard]] size_t bytes(const sample_shape& shape) const {
    return shape.size() * (lines.empty() ? sizeof(float) : 1);
  }
  bool operator==(const sample_form&) const = default;
};

/// Labelled images. Immutable and thread-safe once opened.
class dataset {
public:
  virtual ~dataset() = default;
  [[nodiscard]] virtual size_t size() const = 0;
  [[nodiscard]] virtual sample_shape shape() const = 0;
  [[nodiscard]] virtual int classes() const = 0;
  [[nodiscard]] virtual int32_t label(size_t id) const = 0;
  /// Writes sample `id` as (channels, height, width) f32, normalised by the set's fixed mean and deviation.
  virtual void read(size_t id, float* out) const = 0;
  [[nodiscard]] virtual sample_form form() const { return {}; }
  /// Writes sample `id` as it is stored, `form().bytes(shape())` bytes; `out` is aligned for floats. What `read` yields
  /// is a function of these bytes and of the form.
  virtual void read_stored(size_t id, std::byte* out) const { read(id, reinterpret_cast<float*>(out)); }
};

struct data_source {
  std::string name; ///< "digits", "mnist", "cifar-10"
  std::shared_ptr<const dataset> train;
  std::shared_ptr<const dataset> test;
};

/// `what` is "digits" (procedural, built in), "random:CxHxW:CLASSES" (noise, for measurements), or a folder that holds
/// IDX files (plain or gz) or CIFAR-10 binaries. The kind of a folder is recognised by its files. Refuses, with one
/// sentence each: nothing there, a missing or truncated file, a wrong magic number, labels out of range, image and
/// label counts that differ. Sizes are checked against the headers before anything is allocated.
expected<data_source> open_data(const std::string& what, uint64_t seed);

/// Random crop with `padding` pixels of zeros and horizontal flip; a pure function of (seed, epoch, sample id).
struct augmentation {
  int padding = 0;
  bool flip = false;
};

/// The usual one of a data set: crop by 4 and flip for cifar-10, none for digits and mnist.
augmentation default_augmentation(const std::string& data_name);

/// Fills images (ids.size(), channels, height, width) and labels (ids.size()); parallel over the calling thread's
/// OpenMP team. Meant to run inside a stream's task.
void gather(const dataset& from, std::span<const uint32_t> ids, float* images, int32_t* labels);
void gather_augmented(const dataset& from, std::span<const uint32_t> ids, augmentation how, uint64_t seed,
                      uint64_t epoch, float* images, int32_t* labels);

} // namespace troupe::learn
