#include "learn/data/idx.hpp"

#include <algorithm>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <isa-l/igzip_lib.h>
#include <map>

#include "learn/draws.hpp"
#include "tests/unit/learn/scratch_folder.hpp"

using namespace troupe::learn;
using namespace troupe::test;
using Catch::Matchers::ContainsSubstring;

namespace {

void append(bytes& to, uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8)
    to.push_back(static_cast<uint8_t>(word >> shift));
}

bytes images(uint32_t n, uint32_t height = 3, uint32_t width = 2) {
  bytes out;
  for (const uint32_t word : {0x803u, n, height, width})
    append(out, word);
  for (uint32_t i = 0; i < n * height * width; ++i)
    out.push_back(static_cast<uint8_t>(i * 7));
  return out;
}

bytes labels(uint32_t n) {
  bytes out;
  append(out, 0x801);
  append(out, n);
  for (uint32_t i = 0; i < n; ++i)
    out.push_back(static_cast<uint8_t>(i % 10));
  return out;
}

bytes gzip(const bytes& in) {
  bytes out(in.size() + 1'024);
  isal_zstream stream{};
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = const_cast<uint8_t*>(in.data());
  stream.avail_in = static_cast<uint32_t>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uint32_t>(out.size());
  REQUIRE(isal_deflate_stateless(&stream) == COMP_OK);
  out.resize(stream.total_out);
  return out;
}

/// A good data set of 12 training and 5 test samples, to be spoilt.
std::map<std::string, bytes> good() {
  return {{"train-images-idx3-ubyte", images(12)},
          {"train-labels-idx1-ubyte", labels(12)},
          {"t10k-images-idx3-ubyte", images(5)},
          {"t10k-labels-idx1-ubyte", labels(5)}};
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

std::string refusal(const std::string& name, bytes content) {
  auto files = good();
  files[name] = std::move(content);
  return refusal(files);
}

void check_samples(const data_source& source) {
  CHECK(source.name == "mnist");
  REQUIRE(source.train->size() == 12);
  REQUIRE(source.test->size() == 5);
  CHECK(source.train->shape() == sample_shape{1, 3, 2});
  CHECK(source.train->classes() == 10);
  for (size_t id = 0; id < 12; ++id) {
    CHECK(source.train->label(id) == static_cast<int32_t>(id % 10));
    std::array<float, 6> image{};
    source.train->read(id, image.data());
    for (size_t i = 0; i < 6; ++i)
      CHECK(image[i] == Catch::Approx((static_cast<uint8_t>((id * 6 + i) * 7) / 255. - .1307) / .3081).epsilon(1e-5));
  }
}

} // namespace

TEST_CASE("plain IDX files give their images, normalised, and labels") {
  const auto source = open(good());
  REQUIRE(source);
  check_samples(*source);
}

TEST_CASE("gzipped IDX files give the same as plain ones") {
  std::map<std::string, bytes> files;
  for (const auto& [name, content] : good())
    files[name + ".gz"] = gzip(content);
  const auto source = open(files);
  REQUIRE(source);
  check_samples(*source);
}

TEST_CASE("a missing IDX file is named") {
  for (const auto& [name, content] : good()) {
    auto files = good();
    files.erase(name);
    CHECK_THAT(refusal(files), ContainsSubstring("lacks " + name));
  }
}

TEST_CASE("an IDX file with the wrong magic number is refused") {
  CHECK_THAT(refusal("train-images-idx3-ubyte", labels(12)),
             ContainsSubstring("wrong magic number: an IDX file of images starts with 0x00000803, this one with "
                               "0x00000801"));
  CHECK_THAT(refusal("t10k-labels-idx1-ubyte", images(5)), ContainsSubstring("wrong magic number"));
}

TEST_CASE("an IDX file shorter or longer than its header says is refused, wherever it is cut") {
  const bytes whole = images(12);
  for (size_t size = 0; size < whole.size(); ++size) {
    bytes part = whole;
    part.resize(size);
    CHECK_THAT(refusal("train-images-idx3-ubyte", part),
               ContainsSubstring(size < 16 ? "is truncated: it ends after" : "wrong size: its header says 12 images"));
  }
  bytes longer = whole;
  longer.push_back(0);
  CHECK_THAT(refusal("train-images-idx3-ubyte", longer), ContainsSubstring("wrong size"));
}

TEST_CASE("a gzipped IDX file is refused wherever it is cut, and where its checksum or size does not match") {
  const bytes whole = gzip(images(12));
  for (size_t size = 2; size < whole.size(); ++size) {
    bytes part = whole;
    part.resize(size);
    CHECK_THAT(refusal("train-images-idx3-ubyte", part),
               ContainsSubstring("truncated") || ContainsSubstring("damaged") || ContainsSubstring("wrong size"));
  }
  bytes flipped = whole;
  flipped[whole.size() - 6] ^= 1; // in the CRC-32
  CHECK_THAT(refusal("train-images-idx3-ubyte", flipped), ContainsSubstring("gzip checksum does not match"));
  bytes content = images(12);
  content.pop_back();
  CHECK_THAT(refusal("train-images-idx3-ubyte", gzip(content)), ContainsSubstring("wrong size"));
  content.resize(content.size() + 2);
  CHECK_THAT(refusal("train-images-idx3-ubyte", gzip(content)), ContainsSubstring("and it holds more"));
}

TEST_CASE("a header that promises more than the file can hold is refused before memory is taken") {
  bytes huge = images(12);
  for (size_t i = 4; i < 8; ++i)
    huge[i] = 0xff;
  CHECK_THAT(refusal("train-images-idx3-ubyte", huge), ContainsSubstring("wrong size"));
  CHECK_THAT(refusal("train-images-idx3-ubyte", gzip(huge)), ContainsSubstring("wrong size"));
  for (size_t i = 8; i < 16; ++i)
    huge[i] = 0xff;
  CHECK_THAT(refusal("train-images-idx3-ubyte", huge), ContainsSubstring("impossible header"));
}

TEST_CASE("labels out of range, counts that differ and an empty set are refused") {
  bytes wrong = labels(12);
  wrong[8 + 7] = 10;
  CHECK_THAT(refusal("train-labels-idx1-ubyte", wrong),
             ContainsSubstring("label out of range: sample 7 is of class 10, and the classes are 0 to 9"));
  CHECK_THAT(refusal("t10k-labels-idx1-ubyte", labels(4)), ContainsSubstring("5 images but"));
  auto files = good();
  files["train-images-idx3-ubyte"] = images(0);
  files["train-labels-idx1-ubyte"] = labels(0);
  CHECK_THAT(refusal(files), ContainsSubstring("holds no images"));
  files = good();
  files["t10k-images-idx3-ubyte"] = images(5, 2, 3);
  CHECK_THAT(refusal(files), ContainsSubstring("3x2 but its test images are 2x3"));
}

TEST_CASE("a folder without data, and no folder at all, are refused with what would do") {
  CHECK_THAT(refusal(std::map<std::string, bytes>{{"readme", {}}}), ContainsSubstring("neither IDX files"));
  const auto nowhere = open_data("/nowhere/at/all", 1);
  REQUIRE_FALSE(nowhere);
  CHECK_THAT(nowhere.error().sentence, ContainsSubstring("there is no data set '/nowhere/at/all': use 'digits'"));
}

TEST_CASE("a damaged IDX file is refused with a sentence or read in full, never anything else") {
  draws random{11, purpose::sample_order, 0, 0};
  const bytes plain = images(12);
  const bytes packed = gzip(plain);
  int opened = 0;
  const scratch_folder folder;
  for (const auto& [name, content] : good())
    write_file(folder / name, content);
  for (int round = 0; round < 4'000; ++round) {
    bytes damaged = round % 2 == 0 ? plain : packed;
    for (uint32_t change = random.below(4) + 1; change > 0; --change)
      damaged[random.below(static_cast<uint32_t>(damaged.size()))] = static_cast<uint8_t>(random.below(256));
    write_file(folder / "train-images-idx3-ubyte", damaged);
    const auto source = open_data(folder.path().string(), 1);
    if (source) {
      ++opened;
      REQUIRE(source->train->size() == 12);
      std::array<float, 6> image{};
      source->train->read(11, image.data());
    } else {
      REQUIRE_FALSE(source.error().sentence.empty());
    }
  }
  CHECK(opened > 0); // changes of pixels in the plain file cannot be seen
  CHECK(opened < 2'600);
}

TEST_CASE("the MNIST files are read") {
  const auto folder = real_data("mnist");
  if (folder.empty())
    SKIP("no MNIST files: set TROUPE_DATA to the folder that holds mnist/");
  const auto source = open_data(folder.string(), 1);
  REQUIRE(source);
  CHECK(source->train->size() >= 8'000);
  CHECK(source->test->size() >= 2'000);
  CHECK(source->train->shape() == sample_shape{1, 28, 28});
  double sum = 0;
  std::vector<float> image(784);
  for (size_t id = 0; id < 2'000; ++id) {
    source->test->read(id, image.data());
    for (const float v : image)
      sum += double{v};
  }
  CHECK(std::abs(sum / (2'000 * 784)) < .1); // normalised
}
