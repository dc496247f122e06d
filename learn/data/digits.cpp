#include "learn/data/digits.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "learn/data/glyphs.hpp"
#include "learn/draws.hpp"

// Compiled without fused multiply-add (see CMakeLists.txt) and free of transcendental functions: a sample's bytes are
// then the same on every platform.

namespace troupe::learn {

namespace {

constexpr int side = digits::side;

/// Uniform in [low, high).
float uniform(draws& random, float low, float high) {
  return low + (high - low) * (static_cast<float>(random.word() >> 8) * 0x1p-24f);
}

/// About normal, mean 0 and deviation 1, at most 3.5 in size: the sum of four bytes.
float bell(draws& random) {
  const uint32_t w = random.word();
  const uint32_t pairs = (w & 0x00ff00ff) + ((w >> 8) & 0x00ff00ff);
  const int sum = static_cast<int>((pairs & 0xffff) + (pairs >> 16)) - 510;
  return static_cast<float>(sum) * (1 / 147.8f);
}

/// How one writer holds the pen on one occasion: an elastic warp of the unit box, then an affine map to pixels.
class hand {
public:
  explicit hand(draws& random) {
    for (auto& node : lattice_)
      node = {.05f * bell(random), .05f * bell(random)};
    // Rotation by the rational parametrisation of the circle: |angle| up to 0.44, about normal.
    const float t = std::clamp(.055f * bell(random), -.22f, .22f);
    const float cosine = (1 - t * t) / (1 + t * t);
    const float sine = 2 * t / (1 + t * t);
    const float shear = .16f * bell(random);
    const float height = uniform(random, 15.5f, 21.5f); // pixels
    const float width = height * uniform(random, .72f, 1.08f);
    x_ = {width * cosine, height * (shear * cosine - sine)};
    y_ = {width * sine, height * (shear * sine + cosine)};
    centre_ = {side / 2.f + 1.1f * bell(random), side / 2.f + 1.1f * bell(random)};
  }

  /// From the unit box to pixels.
  [[nodiscard]] point place(point p) const {
    const point bend = warp(p);
    const float x = p.x + bend.x - .5f;
    const float y = p.y + bend.y - .5f;
    return {centre_.x + x_.x * x + x_.y * y, centre_.y + y_.x * x + y_.y * y};
  }

private:
  static constexpr int nodes = 4; // per axis

  // Bilinear between the lattice's nodes: continuous, so strokes that meet in a corner still do.
  [[nodiscard]] point warp(point p) const {
    const float u = p.x * (nodes - 1);
    const float v = p.y * (nodes - 1);
    const int i = std::clamp(static_cast<int>(u), 0, nodes - 2);
    const int j = std::clamp(static_cast<int>(v), 0, nodes - 2);
    const float a = u - static_cast<float>(i);
    const float b = v - static_cast<float>(j);
    const point* at = &lattice_[static_cast<size_t>(j) * nodes + static_cast<size_t>(i)];
    const auto mix = [&](float p00, float p10, float p01, float p11) {
      return (1 - b) * ((1 - a) * p00 + a * p10) + b * ((1 - a) * p01 + a * p11);
    };
    return {mix(at[0].x, at[1].x, at[nodes].x, at[nodes + 1].x), mix(at[0].y, at[1].y, at[nodes].y, at[nodes + 1].y)};
  }

  std::array<point, size_t{nodes} * nodes> lattice_;
  point x_, y_, centre_;
};

/// Squared distance of each pixel's centre to the nearest line drawn so far, as far as a pen can reach.
class paper {
public:
  explicit paper(float reach) : reach_(reach) { distance_.fill(1e9f); }

  void line(point from, point to) {
    const float dx = to.x - from.x;
    const float dy = to.y - from.y;
    const float inverse = 1 / std::max(dx * dx + dy * dy, 1e-6f);
    const int y0 = row_of(std::min(from.y, to.y) - reach_);
    const int y1 = row_of(std::max(from.y, to.y) + reach_ + 1);
    for (int y = y0; y < y1; ++y) {
      const float py = static_cast<float>(y) + .5f - from.y;
      float* row = &distance_[static_cast<size_t>(y) * stride];
      // Whole rows of a fixed length: twice the pixels that matter, and faster than finding those.
      for (int x = 0; x < stride; ++x) {
        const float px = static_cast<float>(x) + .5f - from.x;
        const float along = std::clamp((px * dx + py * dy) * inverse, 0.f, 1.f);
        const float ex = px - along * dx;
        const float ey = py - along * dy;
        row[x] = std::min(row[x], ex * ex + ey * ey);
      }
    }
  }

  /// Of a row's pixels, left to right.
  [[nodiscard]] const float* squared_distances(int y) const { return &distance_[static_cast<size_t>(y) * stride]; }

private:
  static constexpr int stride = 32;

  static int row_of(float y) { return static_cast<int>(std::clamp(y, 0.f, static_cast<float>(side))); }

  float reach_;
  std::array<float, size_t{stride} * side> distance_;
};

/// Uniform Catmull–Rom spline through the points, as short lines.
void draw_stroke(paper& sheet, const hand& writer, stroke points) {
  constexpr int pieces = 4;
  const size_t last = points.size() - 1;
  point pen = writer.place(points[0]);
  for (size_t i = 0; i < last; ++i) {
    const point p1 = points[i];
    const point p2 = points[i + 1];
    const point p0 = i > 0 ? points[i - 1] : p1;
    const point p3 = i + 1 < last ? points[i + 2] : p2;
    for (int piece = 1; piece <= pieces; ++piece) {
      const float t = static_cast<float>(piece) / pieces;
      const auto spline = [t](float a, float b, float c, float d) {
        return b + .5f * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)));
      };
      const point next = writer.place({spline(p0.x, p1.x, p2.x, p3.x), spline(p0.y, p1.y, p2.y, p3.y)});
      sheet.line(pen, next);
      pen = next;
    }
  }
}

draws draws_of(uint64_t seed, digits::split part, size_t id) {
  return {seed, part == digits::split::train ? purpose::training_digit : purpose::test_digit, static_cast<uint32_t>(id),
          0};
}

} // namespace

digits::digits(uint64_t seed, split part)
  : seed_(seed), split_(part),
    size_(part == split::train ? training_samples : test_samples), normalise_{{.mean = .11f, .deviation = .24f}},
    images_(std::make_unique_for_overwrite<uint8_t[]>(size_ * pixels)), // touched only where a sample is drawn
    drawn_(std::make_unique<std::atomic<drawn>[]>(size_)) {}

digits::~digits() = default;

int32_t digits::label(size_t id) const {
  return static_cast<int32_t>(draws_of(seed_, split_, id).below(10));
}

std::array<uint8_t, digits::pixels> digits::draw(size_t id) const {
  draws random = draws_of(seed_, split_, id);
  const auto ways = glyphs_of(static_cast<int>(random.below(10)));
  const glyph shape = ways[random.below(static_cast<uint32_t>(ways.size()))];
  const hand writer{random};
  const float half_width = uniform(random, .65f, 1.6f); // pixels
  const float ink = uniform(random, 175, 255);
  const float grain = uniform(random, 0, 16);

  paper sheet{half_width + .5f};
  for (const stroke s : shape)
    draw_stroke(sheet, writer, s);

  // In two passes, so that the second has no branches.
  std::array<float, pixels> value;
  for (float& v : value)
    v = grain * bell(random) + .5f;
  std::array<uint8_t, pixels> image;
  const float edge = half_width + .5f;
  for (int y = 0; y < side; ++y) {
    const float* squared = sheet.squared_distances(y);
    for (int x = 0; x < side; ++x) {
      const auto i = static_cast<size_t>(y) * side + static_cast<size_t>(x);
      const float covered = std::clamp(edge - std::sqrt(squared[x]), 0.f, 1.f);
      image[i] = static_cast<uint8_t>(static_cast<int>(std::clamp(covered * ink + value[i], 0.f, 255.f)));
    }
  }
  return image;
}

// `use` gets the bytes of the image.
template <class Use>
void digits::with_image(size_t id, Use use) const {
  assert(id < size_);
  uint8_t* kept = &images_[id * pixels];
  if (drawn_[id].load(std::memory_order_acquire) == drawn::yes) {
    use(kept);
    return;
  }
  const auto image = draw(id);
  use(image.data());
  // Of several first readers one keeps its image; the others have drawn the same and do not wait.
  auto state = drawn::no;
  if (drawn_[id].compare_exchange_strong(state, drawn::in_progress, std::memory_order_relaxed)) {
    std::copy(image.begin(), image.end(), kept);
    drawn_[id].store(drawn::yes, std::memory_order_release);
  }
}

void digits::read(size_t id, float* out) const {
  with_image(id, [&](const uint8_t* image) { normalise_.apply(image, pixels, out); });
}

void digits::read_stored(size_t id, std::byte* out) const {
  with_image(id, [&](const uint8_t* image) { std::memcpy(out, image, pixels); });
}

} // namespace troupe::learn
