#include "learn/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "learn/input_file.hpp"
#include "learn/safetensors_header.hpp"

namespace troupe::learn {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and so are we");

namespace {

constexpr std::string_view running_mean = ".running_mean";
constexpr std::string_view batches_tracked = ".num_batches_tracked";

/// Names of the counters that PyTorch keeps beside the statistics of batch norm.
std::vector<std::string> counters_of(const layout& of) {
  std::vector<std::string> names;
  for (const slice& s : of.slices())
    if (s.name.ends_with(running_mean))
      names.push_back(s.name.substr(0, s.name.size() - running_mean.size()).append(batches_tracked));
  return names;
}

nlohmann::ordered_json describe(std::string_view type, const std::vector<int64_t>& dims, uint64_t begin, uint64_t end) {
  return {{"dtype", type}, {"shape", dims}, {"data_offsets", {begin, end}}};
}

expected<void> fits(const tensor_entry& found, const slice& wanted) {
  if (found.type != "F32")
    return fail(fmt::format("has tensor '{}' of type {}, and it must be F32", found.name, found.type));
  if (!std::equal(found.shape.begin(), found.shape.end(), wanted.dims.begin(), wanted.dims.end(),
                  [](uint64_t a, int64_t b) { return a == static_cast<uint64_t>(b); }))
    return fail(fmt::format("has tensor '{}' of shape {}, and the model's is {}", found.name, shape_text(found.shape),
                            shape_text(wanted.dims)));
  return {};
}

/// The entry of each slice, in the layout's order.
expected<std::vector<const tensor_entry*>> match(const std::vector<tensor_entry>& entries, const layout& of) {
  std::vector<const tensor_entry*> matched(of.slices().size());
  const tensor_entry* unknown = nullptr;
  for (const auto& entry : entries) {
    const slice* wanted = of.find(entry.name);
    if (wanted != nullptr) {
      if (auto ok = fits(entry, *wanted); !ok)
        return tl::unexpected(ok.error());
      matched[static_cast<size_t>(wanted - of.slices().data())] = &entry;
    } else if (!entry.name.ends_with(batches_tracked)) {
      unknown = &entry;
    }
  }
  for (size_t i = 0; i < matched.size(); ++i)
    if (matched[i] == nullptr)
      return fail(
        fmt::format("has no tensor '{}' {}{}", of.slices()[i].name, shape_text(of.slices()[i].dims),
                    unknown != nullptr ? fmt::format(", but '{}', which the model has not", unknown->name) : ""));
  if (unknown != nullptr)
    return fail(fmt::format("has tensor '{}', which the model has not", unknown->name));
  return matched;
}

struct opened_file {
  input_file in;
  uint64_t data = 0; // where the tensors begin
  std::vector<tensor_entry> entries;
};

expected<opened_file> open(const std::filesystem::path& file) {
  auto in = input_file::open(file);
  if (!in)
    return tl::unexpected(in.error());
  const std::string name = file.string();
  uint64_t length = 0;
  if (in->size() < sizeof(length))
    return fail(fmt::format("{} is no safetensors file: it has {} bytes, and the length of the header alone takes 8",
                            name, in->size()));
  if (auto ok = in->read(0, std::as_writable_bytes(std::span{&length, 1})); !ok)
    return tl::unexpected(ok.error());
  if (length > longest_safetensors_header || length > in->size() - sizeof(length))
    return fail(fmt::format("{} is damaged or no safetensors file: its header would have {} bytes, and the file has {}",
                            name, length, in->size()));
  std::string header(length, '\0');
  if (auto ok = in->read(sizeof(length), std::as_writable_bytes(std::span{header})); !ok)
    return tl::unexpected(ok.error());
  const uint64_t data = sizeof(length) + length;
  auto entries = parse_safetensors_header(header, in->size() - data);
  if (!entries)
    return fail(fmt::format("{} {}", name, entries.error().sentence));
  return opened_file{std::move(*in), data, std::move(*entries)};
}

} // namespace

expected<void> write_safetensors(const std::filesystem::path& file, const layout& of, std::span<const float> parameters,
                                 uint64_t steps, file_system& files) {
  assert(parameters.size() == of.size());
  const auto counters = counters_of(of);
  const std::vector<uint64_t> counts(counters.size(), steps);
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}}; // names and shapes are PyTorch's
  uint64_t offset = 0;
  // Eight-byte elements first: everything is aligned without padding.
  for (const auto& name : counters) {
    header[name] = describe("I64", {}, offset, offset + sizeof(uint64_t));
    offset += sizeof(uint64_t);
  }
  for (const slice& s : of.slices()) {
    header[s.name] = describe("F32", s.dims, offset, offset + s.size * sizeof(float));
    offset += s.size * sizeof(float);
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::vector<std::span<const std::byte>> pieces{std::as_bytes(std::span{&length, 1}), std::as_bytes(std::span{text}),
                                                 std::as_bytes(std::span{counts})};
  for (const slice& s : of.slices())
    pieces.push_back(std::as_bytes(parameters.subspan(s.offset, s.size)));
  return replace_file(files, file, pieces);
}

expected<flat> read_safetensors(const std::filesystem::path& file, const layout& of) {
  auto opened = open(file);
  if (!opened)
    return tl::unexpected(opened.error());
  const auto matched = match(opened->entries, of);
  if (!matched)
    return fail(fmt::format("{} {}", file.string(), matched.error().sentence));
  flat result{of.size()};
  for (size_t i = 0; i < matched->size(); ++i) {
    const slice& s = of.slices()[i];
    const auto values = result.values().subspan(s.offset, s.size);
    if (auto ok = opened->in.read(opened->data + (*matched)[i]->begin, std::as_writable_bytes(values)); !ok)
      return tl::unexpected(ok.error());
    const auto broken = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (broken != values.end())
      return fail(fmt::format("{} has tensor '{}' with the value {} at index {}: weights must be finite", file.string(),
                              s.name, *broken, broken - values.begin()));
  }
  return result;
}

} // namespace troupe::learn
