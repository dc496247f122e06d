// Actors of types of one's own on a node: who starts them, who finds them, and with whom they end.

#include <atomic>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <optional>
#include <stdexcept>

#include "supervision/exit_reason.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/away_tree.hpp"
#include "tests/topology/hosts.hpp"
#include "tests/topology/strangers.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

struct echo_options {
  std::string prefix;
  bool fails_to_start = false;

  template <class Inspector>
  friend bool inspect(Inspector& f, echo_options& x) {
    return f.object(x).fields(f.field("prefix", x.prefix), f.field("fails_to_start", x.fails_to_start));
  }
};

std::atomic<int> living = 0;

class echo final : public caf::event_based_actor {
public:
  echo(caf::actor_config& cfg, incarnation number, echo_options o)
    : event_based_actor(cfg), number_(number), options_(std::move(o)) {
    if (options_.fails_to_start)
      throw std::runtime_error("no such device");
    ++living;
  }
  void on_exit() override { --living; }

  caf::behavior make_behavior() override {
    return {[this](const std::string& text) {
      if (text == "fail")
        quit(reason_of(failure{"as told"}));
      if (text == "stay") // whatever it is asked
        on_exit_message(this, [](caf::exit_msg& m) { static_cast<void>(m); });
      return options_.prefix + " #" + std::to_string(number_.value) + " " + text;
    }};
  }

private:
  incarnation number_;
  echo_options options_;
};

const auto echoes = spawnable<echo, echo_options>("echo");

// Another type of the same name.
class list final : public caf::event_based_actor {
public:
  list(caf::actor_config& cfg, const std::vector<uint64_t>&) : event_based_actor(cfg) {}
};

const auto lists = spawnable<list, std::vector<uint64_t>>("echo");

// A state that is replaced in place.
struct counter {
  using interface = caf::typed_actor<caf::result<std::string>(std::string)>;
  struct config {
    uint64_t from = 0;

    template <class Inspector>
    friend bool inspect(Inspector& f, config& x) {
      return f.object(x).fields(f.field("from", x.from));
    }
  };
  static constexpr const char* actor_name = "counter";

  counter(interface::pointer, const life& now, const config& c) : number(now.number()), at(c.from) {}
  interface::behavior_type make_behavior() {
    return {[this](const std::string& text) {
      if (text == "throw")
        throw std::runtime_error("as told");
      return std::to_string(++at) + " #" + std::to_string(number.value);
    }};
  }

  incarnation number;
  uint64_t at;
};

const auto counters = spawnable_in_place<counter>("counter");

published_node echo_node(uint32_t most = 256, link_settings link = {}) {
  return published_node{{.actors = {{echoes, counters}, most, "echo_app"}}, std::move(link)};
}

std::string address(const published_node& node) {
  return "127.0.0.1:" + std::to_string(node.port);
}

const role_id first{"echo", 0};
const role_id second{"echo", 1};

supervision_tree tree_of(std::vector<startable> children) {
  return supervise("echoes", one_for_one, at_most(8, 1min)).child(children);
}

// Why a child is not started.
std::string refusal(const startable& child) {
  auto leader = away_tree{};
  leader.run(tree_of({child}));
  return last_cause(leader.end());
}

} // namespace

TEST_CASE("a child of a type of one's own lives on a node, is found by its name, and ends with its tree (I9)") {
  auto node = echo_node();
  auto leader = away_tree{};
  const auto place = remote_place{{address(node)}, leader.roles};
  leader.run(tree_of({on(place, first, echoes, {"a"}), on(place, second, echoes, {"b"})}));
  CHECK(leader.ask(first, "hello") == "a #1 hello");
  CHECK(leader.ask(second, "hello") == "b #1 hello");
  CHECK(living == 2);
  CHECK(leader.stop().cause.kind == exit_kind::shutdown);
  CHECK(comes_true([] { return living == 0; }));
}

TEST_CASE(
  "R7: a child that ends on its node is started there again, with the next number, and the report has its reason") {
  auto node = echo_node();
  auto leader = away_tree{};
  leader.run(tree_of({on(remote_place{{address(node)}, leader.roles}, first, echoes, {"a"})}));
  CHECK(leader.ask(first, "hello") == "a #1 hello");
  leader.tell(first, "fail");
  CHECK_THAT(leader.report("as told"), ContainsSubstring("echo/0"));
  CHECK(comes_true([&] { return leader.ask(first, "again") == "a #2 again"; }));
  CHECK(leader.stop().restarts == 1);
}

TEST_CASE("T3: a state on a node that fails is replaced in place by the supervisor here") {
  auto node = echo_node();
  auto leader = away_tree{};
  const auto who = role_id{"counter", 0};
  leader.run(tree_of({on(remote_place{{address(node)}, leader.roles}, who, counters, {7})}));
  CHECK(leader.ask(who, "count") == "8 #1");
  const auto handle = leader.roles->find(who);
  leader.tell(who, "throw"); // twice: a message that failed is tried once more
  CHECK(leader.ask(who, "count") == "8 #3");
  CHECK(leader.roles->find(who) == handle);
}

TEST_CASE("a child whose node goes away is started on the next one, also if an end in order would have been its last") {
  auto leaving = std::optional<published_node>{};
  leaving.emplace(node::config{.actors = {{echoes}}});
  auto staying = echo_node();
  auto leader = away_tree{};
  leader.run(
    supervise("echoes", one_for_one, at_most(8, 1min))
      .backoff({.min = 10ms})
      .child(on(remote_place{{address(*leaving), address(staying)}, leader.roles}, first, echoes, {"a"}), transient));
  CHECK(leader.ask(first, "hello") == "a #1 hello");
  leaving.reset();
  const auto answer = leader.ask(first, "again");
  CHECK_THAT(answer, ContainsSubstring("again") && !ContainsSubstring("#1 "));
}

TEST_CASE("a node refuses what it cannot start, in one sentence, and the tree says so") {
  auto node = echo_node(1);
  const auto place = remote_place{{address(node)}};
  const auto said = "the node at " + address(node) + " refuses echo/0: ";
  CHECK_THAT(refusal(on(place, first, spawnable<echo, echo_options>{"other"}, {"a"})),
             ContainsSubstring(said + "it runs echo_app (troupe ") &&
               ContainsSubstring("which knows the types echo, counter and not other: start the program that registers "
                                 "other there"));
  CHECK_THAT(refusal(on(place, first, lists, {1, 2})),
             ContainsSubstring(said + "the argument of echo/0 is none that echo in echo_app"));
  CHECK_THAT(refusal(on(place, first, echoes, {std::string(most_argument_bytes, 'x')})),
             ContainsSubstring("bytes, and may have 1048576"));
  CHECK(refusal(on(place, first, echoes, {"a", true})) == said + "echo/0 could not be started: no such device");
  CHECK(living == 0);
  auto plain = published_node{{}};
  CHECK_THAT(refusal(on(remote_place{{address(plain)}}, first, echoes, {"a"})),
             ContainsSubstring("it runs spawn_topology_test (troupe ") &&
               ContainsSubstring("which registers no types of actors: start the program that registers echo there"));
}

TEST_CASE("R13: a job has as many actors on a node as that grants, and another job has as many") {
  auto node = echo_node(1);
  auto leader = away_tree{};
  const auto place = remote_place{{address(node)}, leader.roles};
  leader.run(tree_of({on(place, first, echoes, {"a"})}));
  CHECK(leader.ask(first, "hello") == "a #1 hello");
  auto many = away_tree{};
  const auto same = remote_place{{address(node)}, many.roles};
  many.run(tree_of({on(same, first, echoes, {"b"}), on(same, second, echoes, {"c"})}));
  CHECK_THAT(last_cause(many.end()), ContainsSubstring("this job has 1 actors there"));
  CHECK(leader.ask(first, "still") == "a #1 still");
}

TEST_CASE("where a child cannot be started at all the tree says what is missing") {
  auto node = echo_node();
  CHECK(refusal(on(remote_place{{}}, first, echoes, {})) ==
        "no node is named for echo/0: give its place the HOST:PORT of one");
  CHECK_THAT(refusal(on(remote_place{{"nowhere"}}, first, echoes, {})), ContainsSubstring("is no node address"));
  auto rt = runtime{};
  const auto end = rt.run(tree_of({on(remote_place{{address(node)}}, first, echoes, {})}));
  REQUIRE(end);
  CHECK_THAT(last_cause(*end), ContainsSubstring("make its runtime with .network = true"));
}

TEST_CASE("T4: what a supervisor leaves behind ends, and so does one that does not do as it is asked") {
  auto node = echo_node();
  auto leader = away_tree{};
  leader.run(tree_of({on(remote_place{{address(node)}, leader.roles}, first, echoes, {"a"})}));
  CHECK(leader.ask(first, "stay") == "a #1 stay");
  anon_send_exit(leader.tree->root(), caf::error{caf::exit_reason::kill});
  leader.roles->clear();
  CHECK(comes_true([] { return living == 0; }));
  leader.end();
}

TEST_CASE("with certificates a child lives on a node of its job, and a program of another one is not let in") {
  const temporary_folder folder;
  make_certs(folder.path() / "job", "digits", {"127.0.0.1"});
  make_certs(folder.path() / "other", "letters", {"127.0.0.1"});
  auto node = echo_node(256, with_certs(folder.path() / "job/127.0.0.1"));
  auto leader = away_tree{with_certs(folder.path() / "job/leader")};
  leader.run(tree_of({on(remote_place{{address(node)}, leader.roles}, first, echoes, {"a"})}));
  CHECK(leader.ask(first, "hello") == "a #1 hello");
  auto stranger = away_tree{with_certs(folder.path() / "other/leader")};
  stranger.run(tree_of({on(remote_place{{address(node)}}, first, echoes, {"a"})}));
  CHECK_THAT(last_cause(stranger.end()), ContainsSubstring("is reached, but"));
  CHECK(leader.ask(first, "still") == "a #1 still");
}
