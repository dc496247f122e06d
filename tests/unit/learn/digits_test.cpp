#include "learn/data/digits.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <thread>
#include <vector>

#include "learn/data/glyphs.hpp"
#include "learn/digest.hpp"

using namespace troupe::learn;

namespace {

double distance(const std::array<uint8_t, digits::pixels>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < digits::pixels; ++i)
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// Mean image per class of the first `samples`.
std::vector<std::vector<double>> prototypes(const digits& set, size_t samples) {
  std::vector<std::vector<double>> sums(10, std::vector<double>(digits::pixels));
  std::vector<double> counts(10);
  for (size_t id = 0; id < samples; ++id) {
    const auto label = static_cast<size_t>(set.label(id));
    const auto image = set.draw(id);
    counts[label] += 1;
    for (size_t i = 0; i < digits::pixels; ++i)
      sums[label][i] += image[i];
  }
  for (size_t k = 0; k < 10; ++k)
    for (double& v : sums[k])
      v /= counts[k];
  return sums;
}

} // namespace

TEST_CASE("the digits are the same bytes on every platform") {
  sha256 hash;
  for (const auto part : {digits::split::train, digits::split::test})
    for (size_t id = 0; id < 200; ++id) {
      const digits set{1, part};
      const auto image = set.draw(id);
      hash.update(std::as_bytes(std::span{image}));
      const auto label = static_cast<uint8_t>(set.label(id));
      hash.update(std::as_bytes(std::span{&label, 1}));
    }
  CHECK(hash.hex() == "4e8b60313ba2acf79ab99afbb0c296310ef813c34f525ef49ba8ab163c157e02");
}

TEST_CASE("seeds, splits and samples differ") {
  const digits train{1, digits::split::train};
  CHECK(train.draw(0) != train.draw(1));
  CHECK(train.draw(0) != digits{1, digits::split::test}.draw(0));
  CHECK(train.draw(0) != digits{2, digits::split::train}.draw(0));
}

TEST_CASE("every class appears about equally often") {
  const digits set{1, digits::split::train};
  std::array<int, 10> counts{};
  for (size_t id = 0; id < set.size(); ++id)
    ++counts.at(static_cast<size_t>(set.label(id)));
  for (const int count : counts)
    CHECK(std::abs(count - 2'000) < 212); // five deviations
}

TEST_CASE("a digit is ink on paper that stays inside the frame") {
  const digits set{3, digits::split::train};
  for (size_t id = 0; id < 500; ++id) {
    const auto image = set.draw(id);
    const auto ink = std::count_if(image.begin(), image.end(), [](uint8_t v) { return v > 127; });
    CHECK(ink > 15);
    CHECK(ink < 300);
    int on_frame = 0;
    for (size_t i = 0; i < 28; ++i)
      for (const size_t at : {i, 27ul * 28 + i, i * 28, i * 28 + 27})
        on_frame += image[at] > 127;
    CHECK(on_frame < 12);
  }
}

TEST_CASE("the classes can be told apart, but not by their mean images alone") {
  const digits train{1, digits::split::train};
  const digits test{1, digits::split::test};
  const auto means = prototypes(train, 4'000);
  int correct = 0;
  constexpr int samples = 1'000;
  for (size_t id = 0; id < samples; ++id) {
    const auto image = test.draw(id);
    size_t best = 0;
    for (size_t k = 1; k < 10; ++k)
      if (distance(image, means[k]) < distance(image, means[best]))
        best = k;
    correct += static_cast<int32_t>(best) == test.label(id);
  }
  CHECK(correct > samples / 2);
  CHECK(correct < samples * 9 / 10);
}

TEST_CASE("a sample read again, or by many threads at once, is the same sample") {
  const digits set{5, digits::split::test};
  constexpr size_t samples = 300;
  std::vector<std::vector<float>> seen(4, std::vector<float>(samples * digits::pixels));
  std::vector<std::thread> readers;
  readers.reserve(seen.size());
  for (auto& mine : seen)
    readers.emplace_back([&set, &mine] {
      for (size_t id = 0; id < samples; ++id)
        set.read(id, &mine[id * digits::pixels]);
    });
  for (auto& reader : readers)
    reader.join();
  std::vector<float> again(digits::pixels);
  for (size_t id = 0; id < samples; ++id) {
    set.read(id, again.data());
    for (const auto& mine : seen)
      REQUIRE(std::equal(again.begin(), again.end(), mine.begin() + static_cast<ptrdiff_t>(id * digits::pixels)));
  }
}

TEST_CASE("digits are normalised to mean 0 and deviation 1, about") {
  const digits set{1, digits::split::train};
  std::vector<float> image(digits::pixels);
  double sum = 0;
  double squares = 0;
  constexpr size_t samples = 1'000;
  for (size_t id = 0; id < samples; ++id) {
    set.read(id, image.data());
    for (const float v : image) {
      sum += double{v};
      squares += double{v} * double{v};
    }
  }
  constexpr double n = samples * digits::pixels;
  CHECK(std::abs(sum / n) < .05);
  CHECK(std::abs(squares / n - 1) < .1);
}

TEST_CASE("every digit has at least two ways of being written") {
  for (int digit = 0; digit < 10; ++digit) {
    CHECK(glyphs_of(digit).size() >= 2);
    for (const auto& way : glyphs_of(digit))
      for (const auto& line : way)
        CHECK(line.size() >= 2);
  }
}
