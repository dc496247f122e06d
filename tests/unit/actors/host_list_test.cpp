// Hosts files, and which agent begins on which node.

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "actors/host_list.hpp"
#include "actors/place_rule.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using places = std::vector<uint32_t>;

namespace {

std::string refusal(const std::string& text) {
  const auto r = parse_hosts(text, "hosts");
  return r ? std::string{} : r.error().sentence;
}

std::string refusal(place_rule rule, uint32_t agents, const std::vector<int>& slots) {
  const auto r = place_agents(rule, agents, slots);
  return r ? std::string{} : r.error().sentence;
}

} // namespace

TEST_CASE("a hosts file names a node a line, and how many agents it takes") {
  const auto read =
    parse_hosts("# the cluster\n\na.example:7001 slots=4\n  [::1]:7002   # no word\nb:7001\tslots=1#one", "hosts");
  REQUIRE(read);
  CHECK(read->nodes == std::vector<std::string>{"a.example:7001", "[::1]:7002", "b:7001"});
  CHECK(read->slots == std::vector<int>{4, 0, 1});
}

TEST_CASE("what is wrong in a hosts file is said with file and line") {
  CHECK(refusal("a:1\n\nb\n") ==
        "hosts:3: \"b\" is no node address: write it as HOST:PORT, for example 127.0.0.1:4242");
  CHECK(refusal("a:1 slot=2\n") == "hosts:1: 'slot=2' is not understood: write HOST:PORT or HOST:PORT slots=N");
  CHECK(refusal("a:1 slots=2 slots=3\n") ==
        "hosts:1: 'slots=3' is not understood: write HOST:PORT or HOST:PORT slots=N");
  for (const auto* wrong : {"0", "-1", "4097", "two", "2x", ""})
    CHECK(refusal(std::string{"a:1 slots="} + wrong) ==
          std::string{"hosts:1: slots takes a whole number from 1 to 4096, not '"} + wrong + "'");
  CHECK(refusal("a:1\nb:1\na:1 slots=2\n") ==
        "hosts:3: a:1 is named in line 1 already: write slots=N there for several agents on it");
  for (const auto* empty : {"", "\n", "# a:1\n"})
    CHECK(refusal(empty) == "hosts: it names no node: write HOST:PORT or HOST:PORT slots=N for each, a line apiece");
}

TEST_CASE("a hosts file that cannot be read is refused by its name") {
  const test::temporary_folder folder;
  const auto path = (folder.path() / "hosts").string();
  CHECK(read_hosts(path).error().sentence == "cannot read the hosts file " + path + ": No such file or directory");
  CHECK_FALSE(read_hosts(folder.path().string())); // a folder
  CHECK(read_hosts(folder.with("hosts", "a:1 slots=2\n"))->slots == std::vector<int>{2});
  CHECK_THAT(read_hosts(folder.with("empty", "")).error().sentence, ContainsSubstring("it names no node"));
}

TEST_CASE("agents are spread around the nodes, as far as their slots go") {
  CHECK(*place_agents(place_rule::spread, 5, {0, 0}) == places{0, 1, 0, 1, 0});
  CHECK(*place_agents(place_rule::spread, 5, {1, 0, 2}) == places{0, 1, 2, 1, 2});
  CHECK(*place_agents(place_rule::spread, 6, {1, 4, 1}) == places{0, 1, 2, 1, 1, 1});
}

TEST_CASE("packed agents fill one node after the other") {
  CHECK(*place_agents(place_rule::pack, 5, {2, 4, 1}) == places{0, 0, 1, 1, 1});
  CHECK(*place_agents(place_rule::pack, 7, {2, 4, 1}) == places{0, 0, 1, 1, 1, 1, 2});
  CHECK(
    refusal(place_rule::pack, 2, {2, 0}) ==
    "--place pack fills one node after the other, and has to know how many agents each takes: write slots=N for all "
    "of them in the --hostfile");
}

TEST_CASE("one agent on a node is one, whatever slots that has, and more agents than nodes are refused") {
  CHECK(*place_agents(place_rule::one_per, 2, {8, 8, 8}) == places{0, 1});
  CHECK(
    refusal(place_rule::one_per, 4, {8, 8}) ==
    "--place one-per puts each agent on a node of its own, and for 4 agents there are only 2 nodes: name more nodes "
    "or use fewer --agents");
}

TEST_CASE("agents that do not fit are refused, if it is known how many do") {
  for (auto rule : {place_rule::spread, place_rule::pack})
    CHECK(refusal(rule, 4, {1, 2}) == "4 agents do not fit into the 3 slots of 2 nodes: give the nodes more in the "
                                      "--hostfile, or use fewer --agents");
  CHECK(place_agents(place_rule::spread, 4, {1, 0}));
  CHECK_THAT(refusal(place_rule::spread, 1, {}), StartsWith("there is no node"));
}

TEST_CASE("rules have names") {
  for (auto rule : {place_rule::spread, place_rule::one_per, place_rule::pack})
    CHECK(parse_place_rule(to_string(rule)) == rule);
  CHECK(parse_place_rule("even").error().sentence == "'even' is no rule for places: choose spread, one-per or pack");
}
