// Which actors a node starts for whom, and which it does not.

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <map>
#include <random>

#include "actors/message_types.hpp"
#include "actors/spawner_core.hpp"
#include "messages/spawning.hpp"

using namespace troupe;
using Catch::Matchers::ContainsSubstring;

namespace {

spawner_core::options two_types() {
  return {.types = {"greeter", "probe"}, .messages = {}, .most = 2, .program = "my_app (troupe 1.2.3)"};
}

spawner_core::request ask(const std::string& child, uint64_t number = 1, const std::string& job = "job") {
  return {.job = job, .supervisor = "7@" + job, .child = child, .number = {number}, .type = "greeter"};
}

} // namespace

TEST_CASE("only what is registered is started; who lacks a type says which program and version it runs, and what it "
          "knows") {
  const auto core = spawner_core{two_types()};
  CHECK(core.refusal(ask("greeter/0")).empty());
  auto other = ask("lister/0");
  other.type = "lister";
  CHECK(core.refusal(other) == "it runs my_app (troupe 1.2.3), which knows the types greeter, probe and not lister: "
                               "start the program that registers lister there, as `PROGRAM node --listen HOST:PORT`");
  CHECK_THAT(spawner_core{{.program = "troupe (troupe 1.2.3)"}}.refusal(ask("greeter/0")),
             ContainsSubstring("it runs troupe (troupe 1.2.3), which registers no types of actors: start the program"));
}

TEST_CASE("a type's name comes from a stranger: what cannot be printed does not get into a sentence") {
  const auto core = spawner_core{two_types()};
  auto what = ask("greeter/0");
  what.type = "gree\x1b[2J\nter" + std::string(1000, 'x');
  const auto sentence = core.refusal(what);
  CHECK_THAT(sentence, ContainsSubstring("gree?[2J?ter"));
  CHECK(sentence.find('\n') == std::string::npos);
  CHECK(sentence.size() < 500);
}

TEST_CASE("a program with other message types is refused") {
  CHECK(fingerprint({}) == 0);
  CHECK(fingerprint({"a", "bc"}) != fingerprint({"ab", "c"}));
  CHECK(fingerprint({"a", "b"}) != fingerprint({"b", "a"}));
  auto options = two_types();
  options.messages = {"greeting", "answer"};
  const auto core = spawner_core{options};
  auto what = ask("greeter/0");
  CHECK(core.refusal(what) == "it runs my_app (troupe 1.2.3), which has 2 message types of its own, and they are not "
                              "those of this program: start the same build of the program on both sides");
  what.messages = fingerprint(options.messages);
  CHECK(core.refusal(what).empty());
}

TEST_CASE("R13: a name and an argument have bounds") {
  const auto core = spawner_core{two_types()};
  CHECK(core.refusal(ask(std::string(128, 'x'))).empty());
  CHECK_THAT(core.refusal(ask(std::string(129, 'x'))),
             ContainsSubstring("x... has more than 128 letters: choose a shorter one"));
  auto what = ask("greeter/0");
  what.argument_bytes = most_argument_bytes;
  CHECK(core.refusal(what).empty());
  ++what.argument_bytes;
  CHECK(core.refusal(what) ==
        "the argument of greeter/0 has 1048577 bytes, and may have 1048576: send what is larger in messages");
}

TEST_CASE("R13: a job has at most so many actors, of whichever supervisors, and another job has as many") {
  auto core = spawner_core{two_types()};
  const auto first = core.started(ask("greeter/0"));
  auto other = ask("greeter/0");
  other.supervisor = "8@job";
  core.started(other);
  CHECK(core.actors() == 2);
  CHECK(core.refusal(ask("greeter/1")) == "this job has 2 actors there, as many as the node grants to one: start it "
                                          "with more --actors, or spread them over more nodes");
  CHECK(core.refusal(ask("greeter/1", 1, "another")).empty());
  CHECK(core.refusal(ask("greeter/0", 2)).empty()); // takes the place of the first
  core.ended(first.number);
  core.ended(first.number); // twice: once
  CHECK(core.actors() == 1);
  CHECK(core.refusal(ask("greeter/1")).empty());
}

TEST_CASE("T2: the next incarnation of a child takes the place of the one there, and an older one is refused") {
  auto core = spawner_core{two_types()};
  const auto first = core.started(ask("greeter/0", 3));
  CHECK_FALSE(first.over);
  for (uint64_t number : {2, 3})
    CHECK_THAT(core.refusal(ask("greeter/0", number)), ContainsSubstring("greeter/0 #3 runs there already"));
  const auto second = core.started(ask("greeter/0", 4));
  CHECK(second.over == first.number);
  CHECK(core.actors() == 1);
  core.ended(first.number); // at last; the second is still there
  CHECK(core.actors() == 1);
  CHECK_FALSE(core.refusal(ask("greeter/0", 4)).empty());
  core.ended(second.number);
  CHECK(core.refusal(ask("greeter/0", 1)).empty()); // a new tree of the same process counts from 1
}

TEST_CASE(
  "I5, R13: whatever is asked and ends in whatever order, a child has one actor and a job no more than it may") {
  struct child {
    std::string job, supervisor, id;
    auto operator<=>(const child&) const = default;
  };
  struct actor {
    child of;
    uint64_t number;
  };
  auto random = std::minstd_rand{1};
  auto core = spawner_core{two_types()};
  auto living = std::map<spawner_core::actor_number, actor>{};
  for (int turn = 0; turn < 20000; ++turn) {
    if (!living.empty() && random() % 3 == 0) {
      const auto who = std::next(living.begin(), static_cast<std::ptrdiff_t>(random() % living.size()))->first;
      core.ended(who);
      living.erase(who);
      continue;
    }
    const auto job = "job " + std::to_string(random() % 3);
    const auto who = child{job, std::to_string(random() % 2) + "@" + job, std::to_string(random() % 3)};
    const auto number = uint64_t{random() % 4};
    const auto there = std::ranges::find_if(living, [&](auto& each) { return each.second.of == who; });
    const auto others = std::ranges::count_if(living, [&](auto& each) { return each.second.of.job == job; });
    const auto refused = there == living.end() ? others >= 2 : there->second.number >= number;
    const auto what = spawner_core::request{
      .job = who.job, .supervisor = who.supervisor, .child = who.id, .number = {number}, .type = "probe"};
    REQUIRE(core.refusal(what).empty() == !refused);
    if (refused)
      continue;
    const auto begun = core.started(what);
    REQUIRE(begun.over == (there == living.end() ? std::nullopt : std::optional{there->first}));
    if (begun.over)
      living.erase(*begun.over);
    living[begun.number] = {who, number};
    REQUIRE(core.actors() == living.size());
  }
}
