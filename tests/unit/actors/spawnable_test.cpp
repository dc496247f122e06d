// Types of one's own, and what the words of a node's command line say.

#include <caf/event_based_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "actors/node_program.hpp"
#include "actors/spawnable.hpp"

using namespace troupe;

namespace {

struct route {
  std::string name;
  std::vector<uint64_t> stops;

  bool operator==(const route&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, route& x) {
    return f.object(x).fields(f.field("name", x.name), f.field("stops", x.stops));
  }
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

std::string refusal(const std::vector<const char*>& words) {
  const auto r = parse_node(words);
  return r ? std::string{} : r.error().sentence;
}

} // namespace

TEST_CASE("an argument comes back as it was written, and what is none of its type is nothing") {
  const auto there = route{"north", {1, 2, 3}};
  const auto written = spawning::write(there);
  CHECK(spawning::read<route>(bytes_of(written)) == there);
  for (size_t n = 0; n < written.size(); ++n)
    CHECK_FALSE(spawning::read<route>(bytes_of(written.substr(0, n))));
  CHECK_FALSE(spawning::read<route>(bytes_of(written + "x")));
  CHECK_FALSE(spawning::read<route>(bytes_of(std::string(64, '\xff'))));
}

TEST_CASE("the words behind `node` say how to run as one") {
  const auto words = std::vector<const char*>{"--listen",  "[::1]:7001", "--actors", "9",     "--slots",   "3",
                                              "--threads", "2",          "--certs",  "certs", "--insecure"};
  const auto o = parse_node(words);
  REQUIRE(o);
  CHECK((o->host == "[::1]" && o->port == 7001 && o->actors_of_a_job == 9 && o->slots == 3 && o->threads == 2));
  CHECK((o->certs == "certs" && o->insecure && o->parent_pipe == -1));
  CHECK(parse_node({})->host == "127.0.0.1");
}

TEST_CASE("what is wrong behind `node` is said in a sentence") {
  CHECK(refusal({"--listen", "7001"}) == "--listen takes HOST:PORT, not '7001'");
  CHECK(refusal({"--listen", "a:65536"}) == "--listen with its port takes a whole number from 0 to 65535, not '65536'");
  CHECK(refusal({"--slots", "0"}) == "--slots takes a whole number from 1 to 4096, not '0'");
  CHECK(refusal({"--actors", "many"}) == "--actors takes a whole number from 1 to 1048576, not 'many'");
  CHECK(refusal({"--lots", "1"}) == "unknown option --lots: see node --help");
  CHECK(refusal({"--slots"}) == "--slots needs a value, or is unknown: see node --help");
  CHECK(refusal({"7001"}) == "a node takes no argument 7001: see node --help");
}
