#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace troupe::learn {

/// Turns bytes into floats: (byte / 255 - mean) / deviation, with mean and deviation per channel.
class normalisation {
public:
  struct channel {
    float mean = 0;
    float deviation = 1;
  };

  /// What a channel's bytes are multiplied with, and what is added then.
  struct line {
    float scale;
    float shift;
    bool operator==(const line&) const = default;
  };

  normalisation(std::initializer_list<channel> channels) {
    for (const auto& c : channels)
      lines_.push_back({1 / (255 * c.deviation), -c.mean / c.deviation});
  }
  /// The same as another one, whose `lines` these are.
  explicit normalisation(std::vector<line> lines) : lines_(std::move(lines)) {}

  [[nodiscard]] const std::vector<line>& lines() const { return lines_; }

  /// `bytes` and `out`: (channels, plane).
  void apply(const uint8_t* bytes, size_t plane, float* out) const;

private:
  std::vector<line> lines_;
};

} // namespace troupe::learn
