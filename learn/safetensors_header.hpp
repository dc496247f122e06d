#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/failure.hpp"

namespace troupe::learn {

/// What the header of a safetensors file says of one tensor.
struct tensor_entry {
  std::string name;
  std::string type; ///< "F32", "I64", …
  std::vector<uint64_t> shape;
  uint64_t begin = 0; ///< first byte, from the end of the header
  uint64_t end = 0;   ///< one past the last
};

/// The longest header that is read, as in the reference implementation.
inline constexpr uint64_t longest_safetensors_header = 100'000'000;

/// Parses the JSON and checks it on its own: known structure and nothing else, no name twice, known types, sizes that
/// fit shapes and types, and tensors that cover `data_bytes` bytes without gap or overlap. The sentences have no
/// subject ("has …"), to be put behind the file's name. Entries in order of their offsets.
expected<std::vector<tensor_entry>> parse_safetensors_header(std::string_view json, uint64_t data_bytes);

/// (6, 1, 5, 5)
template <class Ints>
std::string shape_text(const Ints& dims) {
  std::string text = "(";
  for (const auto dim : dims)
    text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + ')';
}

} // namespace troupe::learn
