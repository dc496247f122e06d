#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "learn/data/normalisation.hpp"
#include "learn/dataset.hpp"

namespace troupe::learn {

/// Images as files hold them: a byte per value, normalised when read.
class byte_images final : public dataset {
public:
  struct content {
    sample_shape shape;
    int classes = 10;
    std::vector<uint8_t> pixels; ///< (n, channels, height, width)
    std::vector<uint8_t> labels; ///< (n), each below `classes`
  };

  byte_images(content images, normalisation how)
    : content_(std::move(images)), floats_(content_.shape.size()), normalise_(std::move(how)) {
    assert(content_.pixels.size() == content_.labels.size() * floats_);
  }

  [[nodiscard]] size_t size() const override { return content_.labels.size(); }
  [[nodiscard]] sample_shape shape() const override { return content_.shape; }
  [[nodiscard]] int classes() const override { return content_.classes; }
  [[nodiscard]] int32_t label(size_t id) const override { return content_.labels[id]; }
  void read(size_t id, float* out) const override {
    const auto plane = static_cast<size_t>(content_.shape.height) * static_cast<size_t>(content_.shape.width);
    normalise_.apply(&content_.pixels[id * floats_], plane, out);
  }
  [[nodiscard]] sample_form form() const override { return {normalise_.lines()}; }
  void read_stored(size_t id, std::byte* out) const override {
    std::memcpy(out, &content_.pixels[id * floats_], floats_);
  }

private:
  content content_;
  size_t floats_; // of one sample
  normalisation normalise_;
};

} // namespace troupe::learn
