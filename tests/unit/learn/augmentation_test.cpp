#include "learn/data/augmentation.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <numeric>
#include <omp.h>
#include <span>
#include <vector>

#include "learn/data/byte_images.hpp"
#include "learn/data/digits.hpp"

using namespace troupe::learn;

namespace {

size_t at(int index) {
  return static_cast<size_t>(index);
}

/// The definition, pixel by pixel.
std::vector<float> reference(crop window, sample_shape shape, const std::vector<float>& in) {
  std::vector<float> out;
  for (int c = 0; c < shape.channels; ++c) {
    const auto plane = std::span{in}.subspan(at(c) * at(shape.height) * at(shape.width));
    for (int y = 0; y < shape.height; ++y)
      for (int x = 0; x < shape.width; ++x) {
        const int column = (window.mirrored ? shape.width - 1 - x : x) + window.right;
        const int row = y + window.down;
        const bool inside = column >= 0 && column < shape.width && row >= 0 && row < shape.height;
        out.push_back(inside ? plane[at(row) * at(shape.width) + at(column)] : 0);
      }
  }
  return out;
}

byte_images numbered_images(size_t n) {
  byte_images::content content{.shape = {3, 8, 8}, .classes = 10, .pixels = {}, .labels = {}};
  for (size_t i = 0; i < n * 3 * 64; ++i)
    content.pixels.push_back(static_cast<uint8_t>(i * 31 + i / 256));
  for (size_t i = 0; i < n; ++i)
    content.labels.push_back(static_cast<uint8_t>(i % 10));
  return {std::move(content), {{}, {}, {}}};
}

} // namespace

TEST_CASE("a crop moves, pads and mirrors as its definition says") {
  for (const sample_shape shape : {sample_shape{1, 1, 1}, sample_shape{3, 5, 4}, sample_shape{2, 3, 8}}) {
    std::vector<float> in(shape.size());
    std::iota(in.begin(), in.end(), 1.f);
    for (int right = -9; right <= 9; ++right)
      for (int down = -6; down <= 6; ++down)
        for (const bool mirrored : {false, true}) {
          std::vector<float> out(shape.size(), -1);
          const crop window{right, down, mirrored};
          apply(window, shape, in.data(), out.data());
          REQUIRE(out == reference(window, shape, in));
        }
  }
}

TEST_CASE("crops are uniform over all shifts and both directions") {
  std::map<std::tuple<int, int, bool>, int> seen;
  constexpr int draws = 50 * 1'000;
  for (uint32_t id = 0; id < draws; ++id) {
    const crop c = draw_crop({.padding = 2, .flip = true}, 1, 0, id);
    REQUIRE(std::abs(c.right) <= 2);
    REQUIRE(std::abs(c.down) <= 2);
    ++seen[{c.right, c.down, c.mirrored}];
  }
  REQUIRE(seen.size() == 50);
  for (const auto& [what, count] : seen)
    CHECK(std::abs(count - 1'000) < 160); // five deviations
}

TEST_CASE("a crop is a function of seed, epoch and sample") {
  const augmentation how{.padding = 100, .flip = true};
  const crop one = draw_crop(how, 1, 2, 3);
  CHECK(one == draw_crop(how, 1, 2, 3));
  CHECK_FALSE(one == draw_crop(how, 2, 2, 3));
  CHECK_FALSE(one == draw_crop(how, 1, 3, 3));
  CHECK_FALSE(one == draw_crop(how, 1, 2, 4));
  CHECK_FALSE(draw_crop({.padding = 4, .flip = false}, 1, 2, 3).mirrored);
}

TEST_CASE("gathered samples are the ones asked for, in order, whatever the team") {
  const digits set{1, digits::split::test};
  std::vector<uint32_t> ids(300);
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<uint32_t>(i * 37 % set.size());
  std::vector<float> images(ids.size() * digits::pixels);
  std::vector<int32_t> labels(ids.size());
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    std::fill(images.begin(), images.end(), -9.f);
    gather(set, ids, images.data(), labels.data());
    std::vector<float> one(digits::pixels);
    for (size_t i = 0; i < ids.size(); ++i) {
      set.read(ids[i], one.data());
      REQUIRE(std::equal(one.begin(), one.end(), images.begin() + static_cast<ptrdiff_t>(i * digits::pixels)));
      REQUIRE(labels[i] == set.label(ids[i]));
    }
  }
}

TEST_CASE("augmented samples depend on the sample and the epoch, not on their place in a batch or the team") {
  const auto set = numbered_images(400);
  const size_t floats = set.shape().size();
  std::vector<uint32_t> ids(400);
  std::iota(ids.begin(), ids.end(), 0u);
  const augmentation how{.padding = 4, .flip = true};
  std::vector<float> forwards(ids.size() * floats);
  std::vector<float> backwards(forwards.size());
  std::vector<int32_t> labels(ids.size());
  omp_set_num_threads(1);
  gather_augmented(set, ids, how, 5, 7, forwards.data(), labels.data());
  std::reverse(ids.begin(), ids.end());
  omp_set_num_threads(3);
  gather_augmented(set, ids, how, 5, 7, backwards.data(), labels.data());
  size_t changed = 0;
  std::vector<float> one(floats);
  for (size_t i = 0; i < ids.size(); ++i) {
    const float* a = &forwards[ids[i] * floats];
    REQUIRE(std::equal(a, a + floats, &backwards[i * floats]));
    REQUIRE(labels[i] == set.label(ids[i]));
    set.read(ids[i], one.data());
    std::vector<float> expected(floats);
    apply(draw_crop(how, 5, 7, ids[i]), set.shape(), one.data(), expected.data());
    REQUIRE(std::equal(a, a + floats, expected.begin()));
    changed += !std::equal(a, a + floats, one.begin());
  }
  CHECK(changed > 380);
  gather_augmented(set, ids, {}, 5, 7, backwards.data(), labels.data());
  gather(set, ids, forwards.data(), labels.data());
  CHECK(backwards == forwards);
}

TEST_CASE("only CIFAR-10 is augmented by default") {
  CHECK(default_augmentation("cifar-10").padding == 4);
  CHECK(default_augmentation("cifar-10").flip);
  for (const char* name : {"digits", "mnist"}) {
    CHECK(default_augmentation(name).padding == 0);
    CHECK_FALSE(default_augmentation(name).flip);
  }
}
