#include "learn/data/cifar.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>
#include <vector>

#include "learn/data/byte_images.hpp"
#include "learn/data/byte_stream.hpp"

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

constexpr int classes = 10;
constexpr sample_shape shape{3, 32, 32};
constexpr size_t pixels = size_t{3} * 32 * 32;
constexpr size_t record = 1 + pixels;
constexpr std::string_view test_file = "test_batch.bin";

const normalisation usual{
  {.mean = .4914f, .deviation = .2470f}, {.mean = .4822f, .deviation = .2435f}, {.mean = .4465f, .deviation = .2616f}};

std::vector<fs::path> training_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code unreadable; // then there are none
  for (fs::directory_iterator at{folder, unreadable}, end; !unreadable && at != end; at.increment(unreadable)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin"))
      files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

expected<void> append(const fs::path& file, byte_images::content& to) {
  auto in = byte_stream::open(file);
  if (!in)
    return tl::unexpected(in.error());
  const uint64_t size = in->most_bytes();
  if (in->compressed() || size == 0 || size % record != 0)
    return fail(
      fmt::format("{} is truncated or no CIFAR-10 binary: its size, {} bytes, is not a multiple of {} (a label "
                  "and 3 x 32 x 32 bytes)",
                  file.string(), size, record));
  const size_t before = to.labels.size();
  const size_t count = size / record;
  to.labels.resize(before + count);
  to.pixels.resize((before + count) * pixels);
  for (size_t i = before; i < before + count; ++i) {
    for (const std::span<uint8_t> part : {std::span{&to.labels[i], 1}, std::span{&to.pixels[i * pixels], pixels}}) {
      const auto got = in->read(part);
      if (!got)
        return tl::unexpected(got.error());
      if (*got < part.size())
        return fail(fmt::format("{} became shorter while it was read", file.string()));
    }
    if (to.labels[i] >= classes)
      return fail(fmt::format("{} has a label out of range: sample {} is of class {}, and the classes are 0 to {}",
                              file.string(), i - before, to.labels[i], classes - 1));
  }
  return {};
}

expected<std::shared_ptr<const dataset>> read(const std::vector<fs::path>& files) {
  byte_images::content all{.shape = shape, .classes = classes, .pixels = {}, .labels = {}};
  for (const auto& file : files)
    if (auto ok = append(file, all); !ok)
      return tl::unexpected(ok.error());
  return std::make_shared<byte_images>(std::move(all), usual);
}

} // namespace

bool holds_cifar(const fs::path& folder) {
  std::error_code ignored; // what cannot be looked at is not there
  return fs::exists(folder / test_file, ignored) || !training_files(folder).empty();
}

expected<data_source> open_cifar(const fs::path& folder) {
  const auto files = training_files(folder);
  std::error_code ignored;
  if (files.empty() || !fs::exists(folder / test_file, ignored))
    return fail(fmt::format("{} lacks {}: CIFAR-10 in binary form is data_batch_1.bin (to data_batch_5.bin) and {}",
                            folder.string(), files.empty() ? "data_batch_1.bin" : test_file, test_file));
  auto train = read(files);
  if (!train)
    return tl::unexpected(train.error());
  auto test = read({folder / test_file});
  if (!test)
    return tl::unexpected(test.error());
  return data_source{"cifar-10", std::move(*train), std::move(*test)};
}

} // namespace troupe::learn
