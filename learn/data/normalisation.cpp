#include "learn/data/normalisation.hpp"

// Compiled without fused multiply-add (see CMakeLists.txt): whoever reads a sample, its floats have the same bits.

namespace troupe::learn {

void normalisation::apply(const uint8_t* bytes, size_t plane, float* out) const {
  for (const auto [scale, shift] : lines_) {
    for (size_t i = 0; i < plane; ++i)
      out[i] = static_cast<float>(bytes[i]) * scale + shift;
    bytes += plane;
    out += plane;
  }
}

} // namespace troupe::learn
