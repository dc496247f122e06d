#include <algorithm>
#include <memory>

#include "gpu/kernels/chunks.hpp"
#include "learn/data/augmentation.hpp"
#include "learn/dataset.hpp"

namespace troupe::learn {

namespace {

/// Whether reading so many floats is worth waking a team.
bool wants_team(size_t floats) {
  return gpu::kernels::use_team && floats >= size_t{32} * 1024;
}

} // namespace

void gather(const dataset& from, std::span<const uint32_t> ids, float* images, int32_t* labels) {
  const size_t floats = from.shape().size();
#pragma omp parallel for schedule(static) if (wants_team(ids.size() * floats))
  for (size_t i = 0; i < ids.size(); ++i) {
    from.read(ids[i], images + i * floats);
    labels[i] = from.label(ids[i]);
  }
}

void gather_augmented(const dataset& from, std::span<const uint32_t> ids, augmentation how, uint64_t seed,
                      uint64_t epoch, float* images, int32_t* labels) {
  if (how.padding == 0 && !how.flip) {
    gather(from, ids, images, labels);
    return;
  }
  const sample_shape shape = from.shape();
  const size_t floats = shape.size();
#pragma omp parallel if (wants_team(ids.size() * floats))
  {
    const auto original = std::make_unique_for_overwrite<float[]>(floats); // (channels, height, width)
#pragma omp for schedule(static)
    for (size_t i = 0; i < ids.size(); ++i) {
      from.read(ids[i], original.get());
      apply(draw_crop(how, seed, epoch, ids[i]), shape, original.get(), images + i * floats);
      labels[i] = from.label(ids[i]);
    }
  }
}

} // namespace troupe::learn
