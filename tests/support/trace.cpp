#include "tests/support/trace.hpp"

#include <fmt/format.h>
#include <string_view>

namespace troupe::testing {

namespace {

std::string_view verb(trace::kind what) {
  switch (what) {
  case trace::kind::handles:
    return "handles";
  case trace::kind::computes:
    return "computes";
  case trace::kind::loses:
    return "loses";
  case trace::kind::doubles:
    return "gets twice";
  case trace::kind::fault:
    return "!";
  case trace::kind::note:
    return "-";
  }
  return "?";
}

uint64_t digest(std::string_view text) { // FNV-1a
  uint64_t x = 14695981039346656037U;
  for (const char c : text)
    x = (x ^ static_cast<uint8_t>(c)) * 1099511628211U;
  return x;
}

/// The types of what a message holds.
uint64_t digest(const caf::message& m) {
  uint64_t x = m.size();
  for (size_t i = 0; i < m.size(); ++i)
    x = x * 65599 + m.type_at(i);
  return x;
}

} // namespace

uint32_t trace::enter(std::string name) {
  names_.push_back(std::move(name));
  return static_cast<uint32_t>(names_.size() - 1);
}

void trace::add(nanoseconds at, kind what, uint32_t who, const caf::message& about) {
  add({at, what, who, digest(about)}, about, {});
}

void trace::add(nanoseconds at, kind what, uint32_t who, std::string text) {
  const auto detail = digest(text);
  add({at, what, who, detail}, {}, std::move(text));
}

void trace::add(event e, caf::message about, std::string text) {
  events_.push_back(e);
  if (last_.size() == shown_)
    last_.pop_front();
  last_.push_back({e, std::move(about), std::move(text)});
}

std::string trace::line(const event& e) const {
  return fmt::format("{:>12.6f} s  {} {}", static_cast<double>(e.at.count()) / 1e9, names_[e.who], verb(e.what));
}

std::string trace::end() const {
  std::string text;
  for (const auto& each : last_)
    text += fmt::format("{} {}\n", line(each.what), each.message ? caf::to_string(each.message) : each.text);
  return text;
}

} // namespace troupe::testing
