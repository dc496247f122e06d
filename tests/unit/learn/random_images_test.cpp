#include "learn/data/random_images.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <set>
#include <vector>

using namespace troupe::learn;

TEST_CASE("random images have the shape and classes of their name") {
  const auto source = open_data("random:3x20x24:50", 7);
  REQUIRE(source);
  CHECK(source->train->shape().channels == 3);
  CHECK(source->train->shape().height == 20);
  CHECK(source->train->shape().width == 24);
  CHECK(source->train->classes() == 50);
  CHECK(source->train->size() == random_images::training_samples);
  CHECK(source->test->size() == random_images::test_samples);
  std::set<int32_t> seen;
  for (size_t id = 0; id < source->train->size(); ++id)
    seen.insert(source->train->label(id));
  CHECK(seen.size() == 50);
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == 49);
}

TEST_CASE("random images have mean 0 and deviation 1 and are a function of seed, split and id") {
  const random_images train({3, 32, 32}, 10, 1, random_images::split::train);
  const random_images test({3, 32, 32}, 10, 1, random_images::split::test);
  const random_images other({3, 32, 32}, 10, 2, random_images::split::train);
  std::vector<float> first(3072);
  train.read(5, first.data());
  double sum = 0;
  double squares = 0;
  for (const float x : first) {
    sum += x;
    squares += x * x;
  }
  CHECK(std::abs(sum / 3072) < 0.1);
  CHECK(std::abs(squares / 3072 - 1) < 0.1);
  const auto differs = [&](const random_images& from, size_t id) {
    std::vector<float> second(3072);
    from.read(id, second.data());
    return second != first;
  };
  CHECK_FALSE(differs(train, 5));
  CHECK(differs(train, 6));
  CHECK(differs(test, 5));
  CHECK(differs(other, 5));
}

TEST_CASE("a name of random images that cannot be meant is refused in one sentence") {
  for (const auto* name : {"random:", "random:3x32x32", "random:3x32:10", "random:axbxc:10", "random:3x32x32:10:7"}) {
    const auto opened = open_data(name, 1);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().sentence.find("say random:3x224x224:1000") != std::string::npos);
  }
  for (const auto* name : {"random:0x32x32:10", "random:65x32x32:10", "random:3x1025x32:10", "random:3x32x32:1"}) {
    const auto opened = open_data(name, 1);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().sentence.find("out of range") != std::string::npos);
  }
}
