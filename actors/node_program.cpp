#include "actors/node_program.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <string_view>

#include "actors/interrupts.hpp"
#include "actors/spawner.hpp"

namespace troupe {
namespace {

enum exit_code { done = 0, failed = 1, bad_input = 2 };

constexpr auto help =
  R"(Waits for jobs, starts actors of this program's types for them and hosts agents of theirs, until it
is stopped.

Usage: {0} node [options]

  --listen HOST:PORT        address to wait on; port 0 takes any free one [127.0.0.1:0]
  --actors N                actors of this program's types that a job may have here [256]
  --slots N                 agents it takes at most [1]
  --threads N               per agent [as the job says]
  --certs DIR               folder with this node's certificate, from troupe certs
  --insecure                listen where other machines can reach it, without --certs
)";

expected<int> number(std::string_view option, std::string_view text, int least, int most) {
  auto value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return fail(fmt::format("{} takes a whole number from {} to {}, not '{}'", option, least, most, text));
  return value;
}

expected<void> set_address(node_options& options, std::string_view text) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(fmt::format("--listen takes HOST:PORT, not '{}'", text));
  auto port = number("--listen with its port", text.substr(colon + 1), 0, UINT16_MAX);
  if (!port)
    return tl::unexpected(port.error());
  options.host = text.substr(0, colon);
  options.port = static_cast<uint16_t>(*port);
  return {};
}

expected<void> set(node_options& options, std::string_view option, const char* value) {
  auto count = [&](int& to, int least, int most) -> expected<void> {
    auto read = number(option, value, least, most);
    if (!read)
      return tl::unexpected(read.error());
    to = *read;
    return {};
  };
  if (option == "--listen")
    return set_address(options, value);
  if (option == "--actors")
    return count(options.actors_of_a_job, 1, 1 << 20);
  if (option == "--slots")
    return count(options.slots, 1, 4096);
  if (option == "--threads")
    return count(options.threads, 1, 4096);
  if (option == "--parent-pipe") // for worker processes
    return count(options.parent_pipe, 0, 1 << 20);
  if (option == "--certs") {
    options.certs = value;
    return {};
  }
  return fail(fmt::format("unknown option {}: see node --help", option));
}

} // namespace

expected<node_options> parse_node(std::span<const char* const> words) {
  auto result = node_options{};
  for (size_t i = 0; i < words.size(); ++i) {
    auto word = std::string_view{words[i]};
    if (word == "--insecure") {
      result.insecure = true;
      continue;
    }
    if (!word.starts_with("--"))
      return fail(fmt::format("a node takes no argument {}: see node --help", word));
    if (i + 1 == words.size())
      return fail(fmt::format("{} needs a value, or is unknown: see node --help", word));
    if (auto good = set(result, word, words[++i]); !good)
      return tl::unexpected(good.error());
  }
  return result;
}

int serve_as_node(const node_options& options, const std::string& name) {
  const interrupts interrupted(options.parent_pipe >= 0 ? ended_by::parent : ended_by::signals);
  auto ready = false;
  auto on_ready = [&](uint16_t port) {
    ready = true;
    fmt::print("node ready on {}:{}\n", options.host, port);
    std::fflush(stdout); // whoever started this node in a pipe waits for the line
  };
  auto on_note = [&](const std::string& note) { fmt::print(stderr, "{}: {}\n", name, note); };
  auto ended = run_node(options, {on_ready, on_note}, interrupted.token());
  if (ended)
    return done;
  fmt::print(stderr, "{}: {}\n", name, ended.error().sentence);
  return ready ? failed : bad_input;
}

std::optional<int> run_as_node(int count, char** arguments, std::vector<registered_type> types) {
  if (count < 2 || std::strcmp(arguments[1], "node") != 0)
    return std::nullopt;
  auto name = name_of_this_program();
  auto words = std::span<const char* const>(arguments + 2, static_cast<size_t>(count - 2));
  for (auto* word : words)
    if (std::strcmp(word, "--help") == 0 || std::strcmp(word, "-h") == 0) {
      fmt::print(help, name);
      return done;
    }
  auto options = parse_node(words);
  if (!options) {
    fmt::print(stderr, "{}: {}\n", name, options.error().sentence);
    return bad_input;
  }
  options->types = std::move(types);
  return serve_as_node(*options, name);
}

} // namespace troupe
