#pragma once

#include <caf/type_id_list.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

/// The types of the last messages that an actor took, for the report of its end (T7). Written by its thread alone, read
/// by its supervisor.
class recent_messages {
public:
  void note(caf::type_id_list types) {
    const auto n = count_.load(std::memory_order_relaxed);
    last_[n % last_.size()].store(types.data(), std::memory_order_relaxed);
    count_.store(n + 1, std::memory_order_relaxed);
  }

  /// "parameters, lease": oldest first; empty where there were none.
  [[nodiscard]] std::string text() const;

private:
  std::array<std::atomic<const caf::type_id_t*>, 4> last_ = {}; // a ring
  std::atomic<uint32_t> count_ = 0;
};

/// "lease" for a message of that type; several elements are joined by ", ".
std::string name_of(caf::type_id_list types);

/// How the link of a cause chain begins that names them.
inline constexpr const char* last_messages = "its last messages: ";

} // namespace troupe
