#include "supervision/exit_cause.hpp"

#include <fmt/format.h>

namespace troupe {

std::string_view to_string(exit_kind kind) {
  switch (kind) {
  case exit_kind::normal:
    return "normal";
  case exit_kind::shutdown:
    return "shutdown";
  case exit_kind::error:
    return "error";
  case exit_kind::exception:
    return "exception";
  case exit_kind::kill:
    return "kill";
  case exit_kind::connection_lost:
    return "connection lost";
  case exit_kind::escalated:
    return "escalated";
  case exit_kind::stuck:
    return "stuck";
  }
  return "unknown";
}

exit_cause caused(exit_kind kind, std::string sentence, const exit_cause& by) {
  exit_cause result{kind, {std::move(sentence)}};
  if (by.chain.empty())
    result.chain.emplace_back(to_string(by.kind));
  else
    result.chain.insert(result.chain.end(), by.chain.begin(), by.chain.end());
  return result;
}

std::string to_string(const exit_cause& cause) {
  return cause.chain.empty() ? std::string{to_string(cause.kind)} : fmt::format("{}", fmt::join(cause.chain, ": "));
}

std::string explain(const exit_cause& cause) {
  return cause.chain.empty() ? std::string{to_string(cause.kind)}
                             : fmt::format("{}", fmt::join(cause.chain, "\n  caused by "));
}

} // namespace troupe
