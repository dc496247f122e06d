/// The example whose program is its own node, killed and started again: what becomes of the actors there.

#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "actors/node_program.hpp"
#include "tests/apps/command.hpp"
#include "tests/topology/away_tree.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

struct greeting {
  std::string words;

  template <class Inspector>
  friend bool inspect(Inspector& f, greeting& x) {
    return f.object(x).fields(f.field("words", x.words));
  }
};

// As the example has it; only its name and its argument pass the wire.
class greeter final : public caf::event_based_actor {
public:
  greeter(caf::actor_config& cfg, const greeting&) : event_based_actor(cfg) {}
};

const auto greeters = spawnable<greeter, greeting>("greeter");
const auto who = role_id{"greeter", 0};

struct greeter_node {
  explicit greeter_node(const temporary_folder& folder, const std::string& listen = "127.0.0.1:0",
                        const words& more = {})
    : started(words{TROUPE_REMOTE_ACTOR, "node", "--listen", listen} + more, folder.path()) {
    REQUIRE(started.wait_for_output("\n", deadline));
    const auto& line = started.out();
    REQUIRE(line.starts_with("node ready on "));
    address = line.substr(line.rfind(' ') + 1);
    address.pop_back();
  }
  process started;
  std::string address;
};

void greet(away_tree& leader, const std::vector<std::string>& nodes) {
  leader.run(supervise("greetings", one_for_one, at_most(1000, 1min))
               .backoff({.min = 5ms, .max = 50ms})
               .child(on(remote_place{nodes, leader.roles}, who, greeters, {"Hello, "})));
}

// What the greeter says when it runs in that process.
std::string from(const greeter_node& node) {
  return "Hello, you, from process " + std::to_string(node.started.pid());
}

} // namespace

TEST_CASE("an actor of one's own greets from another process, in a program of under 60 lines") {
  const temporary_folder folder;
  greeter_node node(folder);
  process run({TROUPE_REMOTE_ACTOR, node.address}, folder.path());
  CHECK(run.wait(deadline) == 0);
  CHECK(run.out() ==
        "Good morning, world, from process " + std::to_string(node.started.pid()) + "\ncaller/0 #1 ended (normal)\n");
  node.started.send(SIGTERM);
  CHECK(node.started.wait(deadline) == 0);
  CHECK(node.started.err().empty());
}

TEST_CASE("a plain node says which program it runs and that this does not know the type") {
  const temporary_folder folder;
  const running_node node(folder);
  process run({TROUPE_REMOTE_ACTOR, node.address}, folder.path());
  CHECK(run.wait(deadline) == 1);
  CHECK_THAT(run.out(),
             ContainsSubstring("the node at " + node.address + " refuses greeter/0: it runs troupe (troupe ") &&
               ContainsSubstring("which registers no types of actors: start the program that registers "
                                 "greeter there, as `PROGRAM node --listen HOST:PORT`"));
}

TEST_CASE("T5: a child whose node is killed is started on the other node, and back on the first when that goes") {
  const temporary_folder folder;
  auto one = std::make_unique<greeter_node>(folder);
  auto other = std::make_unique<greeter_node>(folder);
  const std::vector<std::string> nodes{one->address, other->address};
  away_tree leader;
  greet(leader, nodes);
  CHECK(leader.ask(who, "you") == from(*one));
  one->started.send(SIGKILL);
  CHECK_THAT(leader.report("the connection to its node at " + nodes[0] + " was lost"), ContainsSubstring("greeter/0"));
  CHECK(leader.ask(who, "you") == from(*other));
  one = std::make_unique<greeter_node>(folder, nodes[0]);
  other->started.send(SIGKILL);
  leader.report("the connection to its node at " + nodes[1] + " was lost");
  CHECK(leader.ask(who, "you") == from(*one));
}

TEST_CASE("T5: a child whose only node is killed is started there when the node is back") {
  const temporary_folder folder;
  auto node = std::make_unique<greeter_node>(folder);
  const auto address = node->address;
  away_tree leader;
  greet(leader, {address});
  CHECK(leader.ask(who, "you") == from(*node));
  node->started.send(SIGKILL);
  CHECK_THAT(leader.report("no troupe node answers at " + address), ContainsSubstring("greeter/0"));
  node = std::make_unique<greeter_node>(folder, address);
  CHECK(leader.ask(who, "you") == from(*node));
}

// Run by the next test, as a program that is killed.
TEST_CASE("a program that keeps a greeter until it is killed", "[.leader]") {
  away_tree leader;
  greet(leader, {std::getenv("GREETER_NODE")});
  std::puts(leader.ask(who, "you").c_str());
  std::fflush(stdout);
  leader.report("nothing says this");
}

TEST_CASE("T4: what a killed program had on a node ends, and its place there is free again (I9)") {
  const temporary_folder folder;
  greeter_node node(folder, "127.0.0.1:0", {"--actors", "1"});
  const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  process first({"/usr/bin/env", "GREETER_NODE=" + node.address, self, "[.leader]"}, folder.path());
  CHECK(first.wait_for_output(from(node), deadline));
  first.send(SIGKILL);
  CHECK(first.wait(deadline) == -SIGKILL);
  const auto greets = [&] {
    process next({TROUPE_REMOTE_ACTOR, node.address}, folder.path());
    return next.wait(deadline) == 0;
  };
  CHECK(node.started.wait_until(greets, deadline));
}

TEST_CASE("the words behind `node` are refused in a sentence, and --help fits a terminal") {
  const temporary_folder folder;
  process bad({TROUPE_REMOTE_ACTOR, "node", "--slots", "none"}, folder.path());
  CHECK(bad.wait(deadline) == 2);
  CHECK(bad.err() == "remote_actor: --slots takes a whole number from 1 to 4096, not 'none'\n");
  process open({TROUPE_REMOTE_ACTOR, "node", "--listen", "0.0.0.0:0"}, folder.path());
  CHECK(open.wait(deadline) == 2);
  CHECK_THAT(open.err(), ContainsSubstring("can be reached from other machines"));
  process help({TROUPE_REMOTE_ACTOR, "node", "--help"}, folder.path());
  CHECK(help.wait(deadline) == 0);
  CHECK_THAT(help.out(), ContainsSubstring("Usage: remote_actor node [options]"));
  size_t widest = 0;
  for (size_t at = 0, end = 0; (end = help.out().find('\n', at)) != std::string::npos; at = end + 1)
    widest = std::max(widest, end - at);
  CHECK(widest <= 100);
}
