#include "supervision/exit_reason.hpp"

#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <string>
#include <string_view>

namespace troupe {

namespace {

/// Our own causes travel as `exit_reason::unknown`, which CAF never sends with a context, with a context of two
/// strings: the kind, and the chain with one link a line.
constexpr auto carrier = caf::exit_reason::unknown;

constexpr std::array kinds{exit_kind::normal, exit_kind::shutdown,        exit_kind::error,     exit_kind::exception,
                           exit_kind::kill,   exit_kind::connection_lost, exit_kind::escalated, exit_kind::stuck};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

bool is_lost_connection(const caf::error& reason) {
  if (reason == caf::exit_reason::remote_link_unreachable)
    return true;
  constexpr std::array codes{caf::sec::disconnect_during_handshake, caf::sec::no_route_to_receiving_node,
                             caf::sec::cannot_connect_to_node,      caf::sec::remote_linking_failed,
                             caf::sec::socket_disconnected,         caf::sec::connection_closed,
                             caf::sec::connection_timeout};
  return std::any_of(codes.begin(), codes.end(), [&](auto code) { return reason == code; });
}

/// CAF's handler of exceptions gives their type and what(): 0.18 as two strings, 1.x as a sentence.
std::string exception_in(const caf::error& reason) {
  constexpr std::string_view sentence = "unhandled exception of type ";
  const auto& context = reason.context();
  if (context.match_elements<std::string, std::string>())
    return fmt::format("{}: {}", context.get_as<std::string>(0), context.get_as<std::string>(1));
  if (context.match_elements<std::string>() && context.get_as<std::string>(0).starts_with(sentence))
    return context.get_as<std::string>(0).substr(sentence.size());
  return to_string(reason);
}

} // namespace

exit_cause cause_of(const caf::error& reason) {
  if (!reason)
    return {exit_kind::normal, {}};
  if (reason == caf::exit_reason::user_shutdown)
    return {exit_kind::shutdown, {}};
  if (reason == caf::exit_reason::kill)
    return {exit_kind::kill, {}};
  const auto& context = reason.context();
  bool two_strings = context.match_elements<std::string, std::string>();
  if (reason == carrier && two_strings) {
    auto name = context.get_as<std::string>(0);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](auto k) { return to_string(k) == name; });
    return {kind == kinds.end() ? exit_kind::error : *kind, lines(context.get_as<std::string>(1))};
  }
  if (is_lost_connection(reason))
    return {exit_kind::connection_lost, {fmt::format("the connection to its node was lost ({})", to_string(reason))}};
  if (reason == caf::sec::runtime_error)
    return {exit_kind::exception, {exception_in(reason)}};
  if (context.match_elements<std::string>())
    return {exit_kind::error, {context.get_as<std::string>(0)}};
  return {exit_kind::error, {to_string(reason)}};
}

caf::error reason_of(const exit_cause& cause) {
  if (cause.kind == exit_kind::normal && cause.chain.empty())
    return {};
  if (cause.kind == exit_kind::shutdown && cause.chain.empty())
    return caf::exit_reason::user_shutdown;
  if (cause.kind == exit_kind::kill && cause.chain.empty())
    return caf::exit_reason::kill;
  std::string text;
  for (auto link : cause.chain) {
    std::replace(link.begin(), link.end(), '\n', ' ');
    text += text.empty() ? link : '\n' + link;
  }
  return caf::make_error(carrier, std::string{to_string(cause.kind)}, text);
}

caf::error reason_of(const failure& what) {
  return reason_of(exit_cause{exit_kind::error, {what.sentence}});
}

} // namespace troupe
