#include "learn/data/augmentation.hpp"

#include <algorithm>

#include "learn/draws.hpp"

namespace troupe::learn {

augmentation default_augmentation(const std::string& data_name) {
  if (data_name == "cifar-10")
    return {.padding = 4, .flip = true};
  return {};
}

crop draw_crop(augmentation how, uint64_t seed, uint64_t epoch, uint32_t id) {
  draws random{seed, purpose::augmentation, static_cast<uint32_t>(epoch), id};
  const auto shift = [&] {
    return static_cast<int>(random.below(static_cast<uint32_t>(2 * how.padding + 1))) - how.padding;
  };
  const int right = shift();
  const int down = shift();
  return {right, down, how.flip && random.below(2) == 1};
}

void apply(crop window, sample_shape shape, const float* in, float* out) {
  const int width = shape.width;
  // Columns [first, last) of a row of the window lie inside the original.
  const int first = std::clamp(-window.right, 0, width);
  const int last = std::max(first, std::min(width, width - window.right));
  for (int channel = 0; channel < shape.channels; ++channel) {
    for (int y = 0; y < shape.height; ++y, out += width) {
      const int from = y + window.down;
      if (from < 0 || from >= shape.height) {
        std::fill_n(out, width, 0.f);
        continue;
      }
      const float* row = in + (static_cast<ptrdiff_t>(channel) * shape.height + from) * width;
      std::fill(out, out + first, 0.f);
      std::copy(row + first + window.right, row + last + window.right, out + first);
      std::fill(out + last, out + width, 0.f);
      if (window.mirrored)
        std::reverse(out, out + width);
    }
  }
}

} // namespace troupe::learn
