#include "learn/safetensors_header.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

namespace troupe::learn {

namespace {

using nlohmann::json;

constexpr size_t most_dims = 8;

/// Bytes of an element.
std::optional<uint64_t> element_size(std::string_view type) {
  if (type == "F64" || type == "I64" || type == "U64")
    return 8;
  if (type == "F32" || type == "I32" || type == "U32")
    return 4;
  if (type == "F16" || type == "BF16" || type == "I16" || type == "U16")
    return 2;
  if (type == "I8" || type == "U8" || type == "BOOL" || type == "F8_E4M3" || type == "F8_E5M2")
    return 1;
  return std::nullopt;
}

/// Takes the header event by event, so that no document is built of what a stranger sent and depth is limited to three.
class header_reader final : public nlohmann::json_sax<json> {
public:
  std::vector<tensor_entry> entries;
  std::string problem;

  bool null() override { return unexpected(); }
  bool boolean(bool) override { return unexpected(); }
  bool number_integer(number_integer_t) override { return unexpected(); }
  bool number_float(number_float_t, const string_t&) override { return unexpected(); }
  bool binary(binary_t&) override { return unexpected(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == place::shape && entry_.shape.size() < most_dims) {
      entry_.shape.push_back(value);
      return true;
    }
    if (place_ == place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return unexpected();
  }

  bool string(string_t& value) override {
    if (place_ == place::metadata)
      return true;
    if (place_ != place::tensor || key_ != "dtype")
      return unexpected();
    entry_.type = value;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == place::start) {
      place_ = place::top;
      return true;
    }
    if (place_ != place::top)
      return unexpected();
    place_ = key_ == "__metadata__" ? place::metadata : place::tensor;
    entry_ = {.name = key_, .type = {}, .shape = {}, .begin = 0, .end = 0};
    fields_.clear();
    offsets_ = 0;
    return true;
  }

  bool key(string_t& name) override {
    auto& seen = place_ == place::top ? names_ : fields_;
    if (!seen.insert(name).second)
      return stop(fmt::format("has '{}' twice in its header", name));
    if (place_ == place::tensor && name != "dtype" && name != "shape" && name != "data_offsets")
      return stop(fmt::format("has an unknown field '{}' in its header, of tensor '{}'", name, entry_.name));
    key_ = name;
    return true;
  }

  bool end_object() override {
    if (place_ == place::tensor) {
      if (fields_.size() != 3 || offsets_ != 2)
        return stop(fmt::format("does not say dtype, shape and both offsets of tensor '{}'", entry_.name));
      entries.push_back(entry_);
    }
    place_ = place_ == place::top ? place::end : place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != place::tensor || (key_ != "shape" && key_ != "data_offsets"))
      return unexpected();
    place_ = key_ == "shape" ? place::shape : place::offsets;
    return true;
  }

  bool end_array() override {
    place_ = place::tensor;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return stop(fmt::format("has a header that is no JSON, at byte {}", position));
  }

private:
  enum class place : uint8_t { start, top, metadata, tensor, shape, offsets, end };

  bool stop(std::string why) {
    problem = std::move(why);
    return false;
  }

  bool unexpected() { return stop(fmt::format("has a header that is not of the format, at '{}'", key_)); }

  place place_ = place::start;
  std::string key_;
  tensor_entry entry_;
  int offsets_ = 0;
  std::unordered_set<std::string> names_;  // of tensors; only asked, never iterated
  std::unordered_set<std::string> fields_; // of the tensor in progress
};

expected<void> check_size(const tensor_entry& entry, uint64_t data_bytes) {
  if (entry.begin > entry.end || entry.end > data_bytes)
    return fail(fmt::format("has tensor '{}' at bytes {} to {}, and there are {}: it is damaged or truncated",
                            entry.name, entry.begin, entry.end, data_bytes));
  const auto element = element_size(entry.type);
  if (!element)
    return fail(fmt::format("has tensor '{}' of the unknown type '{}'", entry.name, entry.type));
  uint64_t bytes = *element;
  bool overflow = false;
  for (const uint64_t dim : entry.shape)
    overflow |= __builtin_mul_overflow(bytes, dim, &bytes);
  if (overflow || bytes != entry.end - entry.begin)
    return fail(fmt::format("has tensor '{}' of type {} and shape {} in {} bytes, which do not fit", entry.name,
                            entry.type, shape_text(entry.shape), entry.end - entry.begin));
  return {};
}

} // namespace

expected<std::vector<tensor_entry>> parse_safetensors_header(std::string_view text, uint64_t data_bytes) {
  header_reader reader;
  if (!text.starts_with('{'))
    return fail("has a header that is no JSON, at byte 1");
  if (!json::sax_parse(text, &reader))
    return fail(reader.problem);
  auto& entries = reader.entries;
  for (const auto& entry : entries)
    if (auto ok = check_size(entry, data_bytes); !ok)
      return tl::unexpected(ok.error());
  std::sort(entries.begin(), entries.end(), [](const tensor_entry& a, const tensor_entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t covered = 0;
  for (const auto& entry : entries) {
    if (entry.begin != covered)
      return fail(fmt::format("has tensor '{}' at byte {}, {} the tensor before ends: offsets must neither overlap nor "
                              "leave gaps",
                              entry.name, entry.begin, entry.begin < covered ? "before" : "after"));
    covered = entry.end;
  }
  if (covered != data_bytes)
    return fail(fmt::format("has {} bytes behind its last tensor", data_bytes - covered));
  return std::move(entries);
}

} // namespace troupe::learn
