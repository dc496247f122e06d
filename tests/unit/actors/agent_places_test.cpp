#include "actors/agent_places.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace troupe;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

const auto start = agent_places::time_point{} + 1h;

/// Two nodes, two agents that the run begins with, and any that join.
struct two_nodes {
  agent_places places{{.nodes = {"a:1", "b:1"}, .must_start = 2, .patience = 60s}};
  agent_places::time_point now = start;

  std::optional<size_t> node_for(uint32_t agent) {
    auto answer = places.next(agent, now);
    auto* at = std::get_if<agent_places::try_node>(&answer);
    return at ? std::optional{at->node} : std::nullopt;
  }
  std::optional<agent_places::wait> wait_of(uint32_t agent) {
    auto answer = places.next(agent, now);
    auto* wait = std::get_if<agent_places::wait>(&answer);
    return wait ? std::optional{*wait} : std::nullopt;
  }
  std::string refused(uint32_t agent, size_t node) {
    return places.refused(agent, node, places.name(node) + " is full", now);
  }
  void start_both() {
    for (uint32_t agent : {0U, 1U}) {
      REQUIRE(node_for(agent) == agent);
      REQUIRE(places.started(agent, agent, {1}).empty());
    }
  }
  void lose(uint32_t agent, uint64_t process = 1) {
    places.failed(agent, agent, places.name(agent) + " was lost", now);
    places.ended(agent, {process}, now);
  }
  void full(uint32_t agent) {
    refused(agent, 0);
    refused(agent, 1);
  }
};

} // namespace

TEST_CASE("an agent that the run begins with asks each node once, and is refused with what they said") {
  two_nodes t;
  CHECK(t.node_for(1) == 1);
  t.refused(1, 1);
  t.now += 1min; // however long that took
  CHECK(t.node_for(1) == 0);
  t.refused(1, 0);
  t.now += 1min;
  auto answer = t.places.next(1, t.now);
  REQUIRE(std::holds_alternative<agent_places::refuse>(answer));
  CHECK(std::get<agent_places::refuse>(answer).sentence == "no node has a place for agent/1: a:1 is full; b:1 is full");
}

TEST_CASE("an agent that has had a place, or joins, waits for one, and asks each node again and again, no more often "
          "than every three seconds in the end") {
  auto agent = uint32_t{1};
  SECTION("it has had one") {}
  SECTION("it joins") {
    agent = 2;
  }
  two_nodes t;
  t.start_both();
  if (agent == 1)
    t.places.ended(1, {1}, t.now);
  auto asked = std::vector<agent_places::time_point>{};
  auto begun = 0;
  for (int i = 0; i < 100; ++i) {
    if (auto node = t.node_for(agent)) {
      if (*node == 0)
        asked.push_back(t.now);
      t.refused(agent, *node);
    } else {
      auto wait = t.wait_of(agent);
      REQUIRE(wait);
      CHECK(wait->until > t.now);
      begun += wait->begins ? 1 : 0;
      t.now = wait->until;
    }
  }
  CHECK(asked.size() > 20);
  CHECK(asked[1] - asked[0] == 500ms);
  CHECK(asked.back() - asked[asked.size() - 2] == 3s);
  CHECK(begun <= 1);
}

TEST_CASE("what it takes to ask a node keeps no other node from being asked") {
  two_nodes t;
  t.start_both();
  t.places.ended(1, {1}, t.now);
  auto asked = std::array<int, 2>{};
  for (int i = 0; i < 100; ++i) {
    if (auto node = t.node_for(1)) {
      ++asked.at(*node);
      t.now += 4s; // it cannot be reached
      t.refused(1, *node);
    } else if (auto wait = t.wait_of(1)) { // else it has been told to wait once, and goes on at once
      t.now = wait->until;
    }
  }
  CHECK(asked[0] + asked[1] > 20);
  CHECK(std::abs(asked[0] - asked[1]) <= 1);
}

TEST_CASE("an agent that has asked every node waits, so that others hear of it, however long it took") {
  two_nodes t;
  t.start_both();
  t.places.ended(1, {1}, t.now);
  for (auto node : {1U, 0U}) {
    CHECK(t.node_for(1) == node);
    t.now += 4s;
    t.refused(1, node);
  }
  auto wait = t.wait_of(1);
  REQUIRE(wait);
  CHECK(wait->begins);
  CHECK(wait->until == t.now); // and goes on looking at once
  CHECK(t.node_for(1));
}

TEST_CASE("the user is told once who waits and why, not of a moment's wait, and that it is over") {
  two_nodes t;
  t.start_both();
  t.lose(1);
  CHECK(t.node_for(1) == 0);
  CHECK(t.refused(1, 0).empty());
  REQUIRE(t.wait_of(1));
  auto said = t.refused(1, 0);
  CHECK(said == "agent/1 waits for a place: a:1 is full; b:1 is left out, since an agent was lost there; the others do "
                "its work");
  CHECK(t.refused(1, 1).empty());
  CHECK(t.places.started(1, 0, {2}) == "agent/1 has a place again, at a:1");
  t.places.ended(1, {2}, t.now);
  t.full(1);
  REQUIRE(t.wait_of(1));
  CHECK(t.refused(1, 0).starts_with("agent/1 waits"));
}

TEST_CASE("one sentence tells of all who wait, and when nobody is at work says how long the run goes on") {
  two_nodes t;
  t.start_both();
  t.lose(0);
  t.lose(1);
  for (auto agent : {0U, 1U}) {
    t.full(agent);
    REQUIRE(t.wait_of(agent));
  }
  CHECK(t.refused(1, 0) ==
        "agent/0, agent/1 wait for a place: a:1 is full; b:1 is full; no agent is at work: the run waits for 1 min for "
        "one to get a place, then ends");
  CHECK(t.refused(0, 0).empty());
}

TEST_CASE("a run in which no agent has had a place for too long is given up, with what the nodes said (I8)") {
  two_nodes t;
  t.start_both();
  t.lose(0);
  t.now += 30s;
  t.lose(1);
  t.full(0);
  t.full(1);
  REQUIRE(t.wait_of(0));
  t.now += 59s;
  t.full(0);
  t.full(1);
  auto wait = t.wait_of(0);
  REQUIRE(wait);
  CHECK(wait->until == start + 90s); // since the last one was lost
  t.now += 1s;
  auto answer = t.places.next(0, t.now);
  REQUIRE(std::holds_alternative<agent_places::give_up>(answer));
  CHECK_THAT(std::get<agent_places::give_up>(answer).sentence,
             ContainsSubstring("no agent has had a place for 1 min: a:1 is full; b:1 is full") &&
               ContainsSubstring("--resume"));
}

TEST_CASE("a run is given up in time, however long it takes to ask its nodes (I8)") {
  two_nodes t;
  t.start_both();
  t.lose(0);
  t.lose(1);
  auto given_up = false;
  while (!given_up && t.now < start + 2min) {
    auto answer = t.places.next(1, t.now);
    given_up = std::holds_alternative<agent_places::give_up>(answer);
    if (auto* at = std::get_if<agent_places::try_node>(&answer)) {
      t.now += 10s;
      t.refused(1, at->node);
    } else if (auto* wait = std::get_if<agent_places::wait>(&answer)) {
      t.now = std::max(t.now, wait->until);
    }
  }
  CHECK(given_up);
  CHECK(t.now <= start + 60s + 10s);
}

TEST_CASE("as long as one agent is at work the others wait for ever") {
  two_nodes t;
  t.start_both();
  t.lose(1);
  for (int i = 0; i < 100; ++i) {
    t.full(1);
    auto wait = t.wait_of(1);
    REQUIRE(wait);
    t.now += 10min;
  }
  SECTION("and one that gets a place takes the run's despair away") {
    t.places.ended(0, {1}, t.now);
    t.now += 59s;
    CHECK_FALSE(t.places.started(1, 1, {2}).empty());
    t.now += 10min;
    t.full(0);
    CHECK(t.wait_of(0));
  }
}

TEST_CASE("late news of a process before the present one change nothing (T2)") {
  two_nodes t;
  t.start_both();
  CHECK(t.places.started(0, 0, {2}).empty());
  t.places.ended(0, {1}, t.now);
  t.places.ended(1, {1}, t.now);
  t.now += 10min;
  t.full(1);
  CHECK(t.wait_of(1)); // agent/0 is at work
}

TEST_CASE("a run that was begun before bears the loss of a node from its first start on") {
  agent_places places{{.nodes = {"a:1"}, .must_start = 0, .patience = 60s}};
  CHECK(places.refused(0, 0, "a:1 is gone", start).empty());
  CHECK(std::holds_alternative<agent_places::wait>(places.next(0, start)));
  CHECK(std::holds_alternative<agent_places::give_up>([&] {
    CHECK_FALSE(places.refused(0, 0, "a:1 is gone", start + 60s).empty());
    return places.next(0, start + 60s);
  }()));
}
