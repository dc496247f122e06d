#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe::learn {

/// Turns bytes into floats: (byte / 255 - mean) / deviation, with mean and deviation per channel.
class normalisation {
public:
  struct channel {
    float mean = 0;
    float deviation = 1;
  };

  normalisation(std::initializer_list<channel> channels) {
    for (const auto& c : channels)
      channels_.push_back({1 / (255 * c.deviation), -c.mean / c.deviation});
  }

  /// `bytes` and `out`: (channels, plane).
  void apply(const uint8_t* bytes, size_t plane, float* out) const {
    for (const auto [scale, shift] : channels_) {
      for (size_t i = 0; i < plane; ++i)
        out[i] = static_cast<float>(bytes[i]) * scale + shift;
      bytes += plane;
      out += plane;
    }
  }

private:
  struct line {
    float scale;
    float shift;
  };
  std::vector<line> channels_;
};

} // namespace troupe::learn
