#include "actors/host_list.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#include "actors/node_link.hpp"

namespace troupe {
namespace {

constexpr auto slots_word = std::string_view{"slots="};
constexpr int most_slots = 4096;

expected<int> slots_in(const std::string& word) {
  auto value = 0;
  auto [end, error] = std::from_chars(word.data() + slots_word.size(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value < 1 || value > most_slots)
    return fail(
      fmt::format("slots takes a whole number from 1 to {}, not '{}'", most_slots, word.substr(slots_word.size())));
  return value;
}

} // namespace

expected<host_list> parse_hosts(const std::string& text, const std::string& name) {
  auto result = host_list{};
  auto lines = std::map<std::string, size_t>{}; // in which a node was named
  auto in = std::istringstream{text};
  auto number = size_t{0};
  for (auto line = std::string{}; std::getline(in, line);) {
    ++number;
    auto no = [&](const std::string& why) { return fail(fmt::format("{}:{}: {}", name, number, why)); };
    auto words = std::istringstream{line.substr(0, line.find('#'))};
    auto word = std::string{};
    if (!(words >> word))
      continue;
    if (auto address = parse_address(word); !address)
      return no(address.error().sentence);
    if (auto [known, is_new] = lines.emplace(word, number); !is_new)
      return no(fmt::format("{} is named in line {} already: write slots=N there for several agents on it", word,
                            known->second));
    result.nodes.push_back(word);
    result.slots.push_back(0);
    while (words >> word) {
      if (!word.starts_with(slots_word) || result.slots.back() != 0)
        return no(fmt::format("'{}' is not understood: write HOST:PORT or HOST:PORT slots=N", word));
      auto slots = slots_in(word);
      if (!slots)
        return no(slots.error().sentence);
      result.slots.back() = *slots;
    }
  }
  if (result.nodes.empty())
    return fail(
      fmt::format("{}: it names no node: write HOST:PORT or HOST:PORT slots=N for each, a line apiece", name));
  return result;
}

expected<host_list> read_hosts(const std::string& path) {
  auto file = std::ifstream{path};
  auto text = std::ostringstream{};
  if (file && file.peek() != std::ifstream::traits_type::eof())
    text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.fail())
    return fail(fmt::format("cannot read the hosts file {}: {}", path, std::strerror(errno)));
  return parse_hosts(text.str(), path);
}

} // namespace troupe
