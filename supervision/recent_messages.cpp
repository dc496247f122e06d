#include "supervision/recent_messages.hpp"

#include <caf/type_id.hpp>

namespace troupe {

std::string name_of(caf::type_id_list types) {
  std::string result;
  for (size_t i = 0; i < types.size(); ++i) {
    auto name = caf::query_type_name(types[i]);
    result.append(i == 0 ? "" : ", ").append(name.begin(), name.end());
  }
  return result.starts_with("troupe::") ? result.substr(8) : result;
}

std::string recent_messages::text() const {
  std::string result;
  const auto n = count_.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < last_.size(); ++i)
    if (const auto* types = last_[(n + i) % last_.size()].load(std::memory_order_relaxed))
      result += (result.empty() ? "" : ", ") + name_of(caf::type_id_list{types});
  return result;
}

} // namespace troupe
