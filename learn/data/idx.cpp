#include "learn/data/idx.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <string_view>

#include "learn/data/byte_images.hpp"
#include "learn/data/byte_stream.hpp"

namespace troupe::learn {

namespace {

namespace fs = std::filesystem;

constexpr int classes = 10;
constexpr uint32_t largest_side = 4'096; // pixels
const normalisation mnist{{.mean = .1307f, .deviation = .3081f}};

struct part {
  std::string_view images;
  std::string_view labels;
};
constexpr part training{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"};
constexpr part testing{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

std::optional<fs::path> find(const fs::path& folder, std::string_view name) {
  for (const char* suffix : {"", ".gz"}) {
    fs::path file = folder / name;
    file += suffix;
    std::error_code ignored; // what cannot be looked at is not there
    if (fs::exists(file, ignored))
      return file;
  }
  return std::nullopt;
}

/// The bytes of an IDX file behind its header.
template <size_t Dims>
struct tensor {
  fs::path file;
  std::array<uint32_t, Dims> dims{};
  std::vector<uint8_t> values;
};

template <size_t Dims>
std::string header_text(const std::array<uint32_t, Dims>& dims) {
  if constexpr (Dims == 1)
    return fmt::format("{} labels", dims[0]);
  else
    return fmt::format("{} images of {}x{}", dims[0], dims[1], dims[2]);
}

template <size_t Dims>
expected<void> read_header(byte_stream& in, std::array<uint32_t, Dims>& dims) {
  std::array<uint8_t, 4 * (1 + Dims)> bytes{};
  const auto got = in.read(bytes);
  if (!got)
    return tl::unexpected(got.error());
  const std::string name = in.file().string();
  if (*got < bytes.size())
    return fail(fmt::format("{} is truncated: it ends after {} of {} bytes of its header; fetch it again", name, *got,
                            bytes.size()));
  const auto word = [&](size_t i) {
    return uint32_t{bytes[4 * i]} << 24 | uint32_t{bytes[4 * i + 1]} << 16 | uint32_t{bytes[4 * i + 2]} << 8 |
           uint32_t{bytes[4 * i + 3]};
  };
  constexpr uint32_t magic = 0x800 + Dims;
  if (word(0) != magic)
    return fail(fmt::format("{} has the wrong magic number: an IDX file of {} starts with {:#010x}, this one with "
                            "{:#010x}",
                            name, Dims == 1 ? "labels" : "images", magic, word(0)));
  for (size_t i = 0; i < Dims; ++i)
    dims[i] = word(i + 1);
  return {};
}

template <size_t Dims>
expected<tensor<Dims>> read_tensor(const fs::path& file) {
  auto in = byte_stream::open(file);
  if (!in)
    return tl::unexpected(in.error());
  tensor<Dims> result{file, {}, {}};
  if (auto ok = read_header(*in, result.dims); !ok)
    return tl::unexpected(ok.error());
  uint64_t bytes = result.dims[0];
  for (size_t i = 1; i < Dims; ++i) {
    if (result.dims[i] == 0 || result.dims[i] > largest_side)
      return fail(fmt::format("{} has an impossible header: {}; a side is 1 to {} pixels", file.string(),
                              header_text(result.dims), largest_side));
    bytes *= result.dims[i]; // below 2^56
  }
  constexpr uint64_t header = 4 * (1 + Dims);
  if (header + bytes > in->most_bytes() || (!in->compressed() && header + bytes < in->most_bytes()))
    return fail(fmt::format("{} has the wrong size: its header says {}, which is {} bytes{}, and the file has {}{}",
                            file.string(), header_text(result.dims), header + bytes,
                            in->compressed() ? " unpacked" : "", in->compressed() ? "room for at most " : "",
                            in->most_bytes()));
  result.values.resize(bytes);
  const auto got = in->read(result.values);
  if (!got)
    return tl::unexpected(got.error());
  uint8_t beyond = 0;
  const auto more = in->read({&beyond, 1});
  if (!more)
    return tl::unexpected(more.error());
  if (*got < bytes || *more > 0)
    return fail(fmt::format("{} has the wrong size: its header says {}, which is {} bytes, and it holds {}",
                            file.string(), header_text(result.dims), header + bytes,
                            *more > 0 ? "more" : fmt::to_string(header + *got)));
  return result;
}

expected<std::shared_ptr<const dataset>> read_part(const fs::path& folder, const part& names) {
  for (const auto name : {names.images, names.labels})
    if (!find(folder, name))
      return fail(fmt::format("{} lacks {} (or {}.gz): an IDX data set is images and labels for training (train-…) and "
                              "for testing (t10k-…)",
                              folder.string(), name, name));
  auto images = read_tensor<3>(*find(folder, names.images));
  if (!images)
    return tl::unexpected(images.error());
  auto labels = read_tensor<1>(*find(folder, names.labels));
  if (!labels)
    return tl::unexpected(labels.error());
  const auto [n, height, width] = images->dims;
  if (n == 0)
    return fail(fmt::format("{} holds no images", images->file.string()));
  if (n != labels->dims[0])
    return fail(fmt::format("{} has {} images but {} has {} labels: the two do not belong together",
                            images->file.string(), n, labels->file.string(), labels->dims[0]));
  const auto wrong = std::find_if(labels->values.begin(), labels->values.end(), [](uint8_t v) { return v >= classes; });
  if (wrong != labels->values.end())
    return fail(fmt::format("{} has a label out of range: sample {} is of class {}, and the classes are 0 to {}",
                            labels->file.string(), wrong - labels->values.begin(), *wrong, classes - 1));
  return std::make_shared<byte_images>(
    byte_images::content{.shape = {1, static_cast<int>(height), static_cast<int>(width)},
                         .classes = classes,
                         .pixels = std::move(images->values),
                         .labels = std::move(labels->values)},
    mnist);
}

} // namespace

bool holds_idx(const fs::path& folder) {
  return find(folder, training.images) || find(folder, training.labels) || find(folder, testing.images) ||
         find(folder, testing.labels);
}

expected<data_source> open_idx(const fs::path& folder) {
  auto train = read_part(folder, training);
  if (!train)
    return tl::unexpected(train.error());
  auto test = read_part(folder, testing);
  if (!test)
    return tl::unexpected(test.error());
  const sample_shape a = (*train)->shape();
  const sample_shape b = (*test)->shape();
  if (a != b)
    return fail(fmt::format("the training images of {} are {}x{} but its test images are {}x{}", folder.string(),
                            a.height, a.width, b.height, b.width));
  return data_source{"mnist", std::move(*train), std::move(*test)};
}

} // namespace troupe::learn
