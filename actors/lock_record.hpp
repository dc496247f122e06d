#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "messages/failure.hpp"
#include "messages/membership.hpp"

namespace troupe {

/// A line of the lock service's journal: a grant, written before anybody hears of it, or the end of one.
struct lock_record {
  enum class event : uint8_t { granted, released };

  event what = event::granted;
  fencing_token token;
  std::string name;
  member who;
  uint64_t request = 0;
  std::chrono::milliseconds lease{0};

  bool operator==(const lock_record&) const = default;
};

/// To and from the text of a journal's frame. Fails on a text of another version.
std::string to_text(const lock_record& r);
expected<lock_record> lock_record_from(const std::string& text);

/// What a journal says: the highest token, and the grants that may still be held.
struct lock_state {
  fencing_token last;
  std::map<std::string, lock_record> held; ///< by name; the last grant of each that was not released

  void apply(const lock_record& r);
  bool operator==(const lock_state&) const = default;
};

} // namespace troupe
