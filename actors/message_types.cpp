#include "actors/message_types.hpp"

#include "messages/registry.hpp"

namespace troupe {

std::vector<std::string> own_message_types() {
  auto result = std::vector<std::string>{};
  for (uint32_t id = caf::id_block::troupe::end; id < UINT16_MAX; ++id) {
    auto name = caf::query_type_name(static_cast<caf::type_id_t>(id));
    if (name.empty())
      break;
    result.emplace_back(name.begin(), name.end());
  }
  return result;
}

// FNV-1a of 64 bits; a name ends with a zero.
uint64_t fingerprint(const std::vector<std::string>& types) {
  if (types.empty())
    return 0;
  auto sum = uint64_t{0xcbf29ce484222325};
  auto add = [&](unsigned char byte) { sum = (sum ^ byte) * 0x100000001b3; };
  for (auto& name : types) {
    for (auto letter : name)
      add(static_cast<unsigned char>(letter));
    add(0);
  }
  return sum;
}

} // namespace troupe
