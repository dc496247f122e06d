#include "learn/data/random_images.hpp"

#include <cassert>
#include <cmath>
#include <fmt/core.h>
#include <regex>

#include "learn/draws.hpp"

namespace troupe::learn {

namespace {

constexpr std::string_view prefix = "random:";

} // namespace

random_images::random_images(sample_shape shape, int classes, uint64_t seed, split part)
  : shape_(shape), classes_(classes), seed_(seed), split_(part) {}

size_t random_images::size() const {
  return split_ == split::train ? training_samples : test_samples;
}

int32_t random_images::label(size_t id) const {
  draws random(seed_, purpose::random_label, static_cast<uint32_t>(id), static_cast<uint32_t>(split_));
  return static_cast<int32_t>(random.below(static_cast<uint32_t>(classes_)));
}

void random_images::read(size_t id, float* out) const {
  assert(id < size());
  draws random(seed_, purpose::random_image, static_cast<uint32_t>(id), static_cast<uint32_t>(split_));
  constexpr float deviation_of_uniform = 0.288675135f; // of U(0, 1): 1 / sqrt(12)
  constexpr float scale = 0x1p-24f / deviation_of_uniform;
  for (size_t i = 0; i < shape_.size(); ++i)
    out[i] = (static_cast<float>(random.word() >> 8) - 0x1p23f) * scale;
}

bool names_random_images(const std::string& what) {
  return what.starts_with(prefix);
}

expected<data_source> open_random_images(const std::string& what, uint64_t seed) {
  static const std::regex spelling(R"(random:(\d{1,4})x(\d{1,4})x(\d{1,4}):(\d{1,5}))");
  std::smatch parts;
  if (!std::regex_match(what, parts, spelling))
    return fail(fmt::format("'{}' is no shape of random images: write random:CHANNELSxHEIGHTxWIDTH:CLASSES, say "
                            "random:3x224x224:1000",
                            what));
  const auto number = [&](size_t i) { return std::stoi(parts[i].str()); };
  const sample_shape shape{number(1), number(2), number(3)};
  const int classes = number(4);
  const auto within = [](int x, int low, int high) { return low <= x && x <= high; };
  if (!within(shape.channels, 1, 64) || !within(shape.height, 1, 1024) || !within(shape.width, 1, 1024) ||
      !within(classes, 2, 65'536))
    return fail(fmt::format("{} is out of range: random images have 1 to 64 channels, 1 to 1024 pixels a side and 2 to "
                            "65536 classes",
                            what));
  return data_source{what, std::make_shared<random_images>(shape, classes, seed, random_images::split::train),
                     std::make_shared<random_images>(shape, classes, seed, random_images::split::test)};
}

} // namespace troupe::learn
