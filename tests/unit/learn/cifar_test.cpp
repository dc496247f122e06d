#include "learn/data/cifar.hpp"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <map>

#include "tests/unit/learn/scratch_folder.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

/// Records whose labels count from `first`, and whose values are label + channel.
bytes records(size_t n, size_t first = 0) {
  bytes out;
  for (size_t i = first; i < first + n; ++i) {
    const auto label = static_cast<uint8_t>(i % 10);
    out.push_back(label);
    for (uint8_t channel = 0; channel < 3; ++channel)
      out.insert(out.end(), 1'024, static_cast<uint8_t>(label + channel));
  }
  return out;
}

troupe::expected<data_source> open(const std::map<std::string, bytes>& files) {
  const scratch_folder folder;
  for (const auto& [name, content] : files)
    write_file(folder / name, content);
  return open_data(folder.path().string(), 1);
}

std::string refusal(const std::map<std::string, bytes>& files) {
  const auto opened = open(files);
  REQUIRE_FALSE(opened);
  return opened.error().sentence;
}

} // namespace

TEST_CASE("CIFAR-10 batches are joined in order, channel planes normalised each by its own") {
  const auto source = open({{"data_batch_2.bin", records(4, 3)},
                            {"data_batch_1.bin", records(3)},
                            {"test_batch.bin", records(2)},
                            {"batches.meta.txt", {'a'}}});
  REQUIRE(source);
  CHECK(source->name == "cifar-10");
  CHECK(source->train->shape() == sample_shape{3, 32, 32});
  REQUIRE(source->train->size() == 7);
  REQUIRE(source->test->size() == 2);
  std::vector<float> image(3'072);
  for (size_t id = 0; id < 7; ++id) {
    CHECK(source->train->label(id) == static_cast<int32_t>(id));
    source->train->read(id, image.data());
    const std::array<double, 3> mean{.4914, .4822, .4465};
    const std::array<double, 3> deviation{.2470, .2435, .2616};
    for (size_t c = 0; c < 3; ++c)
      for (const size_t at : {size_t{0}, size_t{1'023}})
        CHECK(image[c * 1'024 + at] ==
              Catch::Approx((static_cast<double>(id + c) / 255 - mean[c]) / deviation[c]).epsilon(1e-5));
  }
}

TEST_CASE("CIFAR-10 without its test or its training file is refused, naming it") {
  CHECK_THAT(refusal({{"data_batch_1.bin", records(1)}}), ContainsSubstring("lacks test_batch.bin"));
  CHECK_THAT(refusal({{"test_batch.bin", records(1)}}), ContainsSubstring("lacks data_batch_1.bin"));
}

TEST_CASE("a CIFAR-10 file that is no whole number of records is refused") {
  bytes cut = records(2);
  cut.pop_back();
  for (const bytes& wrong : {cut, bytes{}, bytes(1, 3)})
    CHECK_THAT(refusal({{"data_batch_1.bin", records(1)}, {"test_batch.bin", wrong}}),
               ContainsSubstring("test_batch.bin is truncated or no CIFAR-10 binary"));
}

TEST_CASE("a CIFAR-10 label out of range is refused, naming the sample") {
  bytes wrong = records(3);
  wrong[2ul * 3'073] = 10;
  CHECK_THAT(refusal({{"data_batch_1.bin", records(1)}, {"data_batch_2.bin", wrong}, {"test_batch.bin", records(1)}}),
             ContainsSubstring("data_batch_2.bin has a label out of range: sample 2 is of class 10"));
}

TEST_CASE("a folder in place of a CIFAR-10 file is refused") {
  const scratch_folder folder;
  std::filesystem::create_directory(folder / "data_batch_1.bin");
  write_file(folder / "test_batch.bin", records(1));
  const auto opened = open_data(folder.path().string(), 1);
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().sentence, ContainsSubstring("it is not a file"));
}

TEST_CASE("the CIFAR-10 files are read") {
  const auto folder = real_data("cifar-10");
  if (folder.empty())
    SKIP("no CIFAR-10 files: set TROUPE_DATA to the folder that holds cifar-10/");
  const auto source = open_data(folder.string(), 1);
  REQUIRE(source);
  CHECK(source->train->size() >= 10'000);
  REQUIRE(source->test->size() >= 2'000);
  double sum = 0;
  std::vector<float> image(3'072);
  for (size_t id = 0; id < 2'000; ++id) {
    source->test->read(id, image.data());
    for (const float v : image)
      sum += double{v};
  }
  CHECK(std::abs(sum / (2'000 * 3'072)) < .1); // normalised
}
