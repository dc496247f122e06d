#pragma once

#include <caf/message.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/support/dice.hpp"

namespace troupe::testing {

/// What happened in a simulated run, in order. Two runs of one seed must yield the same (I14).
class trace {
public:
  enum class kind : uint8_t { handles, computes, loses, doubles, fault, note };

  /// Enough to tell two runs apart, and small: a run has thousands.
  struct event {
    nanoseconds at{0};
    kind what = kind::note;
    uint32_t who = 0;    ///< index into the names
    uint64_t detail = 0; ///< of what kind the message is, or a digest of the text

    bool operator==(const event&) const = default;
  };

  /// Gives an actor or a host its name in the trace.
  uint32_t enter(std::string name);
  void rename(uint32_t who, std::string name) { names_[who] = std::move(name); }
  [[nodiscard]] const std::string& name(uint32_t who) const { return names_[who]; }

  void add(nanoseconds at, kind what, uint32_t who, const caf::message& about);
  void add(nanoseconds at, kind what, uint32_t who, std::string text);

  [[nodiscard]] const std::vector<event>& events() const { return events_; }
  /// How many of the last events `end` shows.
  void show(size_t lines) { shown_ = lines; }
  /// The last events as lines of text, oldest first.
  [[nodiscard]] std::string end() const;
  /// Lets go of what messages hold; `end` is empty then.
  void forget() { last_.clear(); }
  /// One event as a line, without what its message said.
  [[nodiscard]] std::string line(const event& e) const;

private:
  struct last {
    event what;
    caf::message message;
    std::string text;
  };
  void add(event e, caf::message about, std::string text);

  size_t shown_ = 40;
  std::vector<std::string> names_;
  std::vector<event> events_;
  std::deque<last> last_; // with their content, for `end`
};

} // namespace troupe::testing
