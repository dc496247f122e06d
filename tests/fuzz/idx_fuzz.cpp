// The first byte says which of the four files the others are; the rest of the set is well formed.

#include <array>
#include <filesystem>
#include <fstream>

#include "learn/data/idx.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/temporary_folder.hpp"

namespace troupe::fuzz {
namespace {

constexpr auto names =
  std::array{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

// Three samples of 2 × 2.
std::string well_formed(size_t which) {
  if (which % 2 == 0)
    return std::string{"\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02", 16} + "abcdefghijkl";
  return {"\0\0\x08\x01\0\0\0\x03\x01\x02\x03", 11};
}

void write(const std::string& path, std::span<const std::byte> content) {
  std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(content.data()),
                                              static_cast<std::streamsize>(content.size()));
}

void read_all(const learn::dataset& from) {
  auto values = std::vector<float>(from.shape().size());
  for (size_t id = 0; id < from.size() && id < 64; ++id) {
    from.read(id, values.data());
    if (from.label(id) < 0 || from.label(id) >= from.classes())
      broken("a label out of range has been accepted");
  }
}

} // namespace

void read(std::span<const std::byte> input) {
  if (input.empty())
    return;
  static const auto folder = test::temporary_folder{};
  const auto which = std::to_integer<size_t>(input.front()) % 8;
  const auto name = std::string{names[which % 4]} + (which >= 4 ? ".gz" : "");
  for (size_t i = 0; i < names.size(); ++i)
    if (i != which % 4)
      write(folder / names[i], bytes_of(well_formed(i)));
  write(folder / name, input.subspan(1));
  if (const auto set = learn::open_idx(folder.path())) {
    read_all(*set->train);
    read_all(*set->test);
  }
  for (const auto* each : names)
    std::filesystem::remove(folder.path() / each);
  std::filesystem::remove(folder.path() / name);
}

std::vector<bytes> seeds() {
  // Labels, packed by gzip.
  const auto packed =
    std::string{"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x63\x60\xe0\x60\x64\x60\x60\x60\x66\x64\x62\x06\0\x8b\xe5\xbd\xa4\x0b"
                "\0\0\0",
                31};
  return {bytes_of(std::string(1, '\0') + well_formed(0)), bytes_of("\x01" + well_formed(1)),
          bytes_of("\x05" + packed)};
}

} // namespace troupe::fuzz
