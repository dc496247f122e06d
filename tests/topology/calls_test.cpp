// The dynamic API of a supervisor through real actors, in virtual time.

#include "tests/topology/stage.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("S8: the dynamic API answers every call exactly once, also when the supervisor has ended") {
  stage s;
  s.play(supervise("root").child(s.child("a")));
  auto root = *s.tree->find("root");
  std::vector<call_result> answers;
  auto note = [&](const call_result& r) { answers.push_back(r); };
  size_t listed = 9;
  root.terminate_child("a", note);
  root.delete_child("b", note);
  root.list_children([&](const auto& children) { listed = children.size(); });
  s.run();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].child == "b"); // at once; the other waits for a's end
  CHECK(answers[0].error == call_error::not_found);
  CHECK(answers[1].child == "a");
  CHECK_FALSE(answers[1].error);
  CHECK(listed == 1);

  root.restart_child("a", note); // overtaken by the end
  s.tree->stop();
  s.run();
  root.restart_child("a", note);
  root.list_children([&](const auto& children) { listed = children.size(); });
  s.run();
  REQUIRE(answers.size() == 4);
  CHECK(answers[3].error == call_error::stopping);
  CHECK(listed == 0);
  CHECK_FALSE(s.tree->find("root"));
}

TEST_CASE("S2: 10,000 children of a template start, each with its argument, and stop in parallel") {
  stage s;
  int sum = 0;
  startable session{"session", [&](const start_context& c) {
                      sum += c.argument.get_as<int>(0);
                      return c.system.spawn([](caf::event_based_actor* self) -> caf::behavior {
                        on_exit_message(self,
                                        [self](caf::exit_msg&) { run_after(self, 1s, [self] { self->quit(); }); });
                        return {[](int x) { return x; }};
                      });
                    }};
  s.play(supervise("root", simple_one_for_one).child(session, temporary));
  auto root = *s.tree->find("root");
  int started_well = 0;
  for (int i = 0; i < 10'000; ++i)
    root.start_child(caf::make_message(i), [&](const call_result& r) { started_well += r.error ? 0 : 1; });
  s.run();
  CHECK(started_well == 10'000);
  CHECK(sum == 9'999 * 5'000);
  s.tree->stop();
  s.pass(1s); // each takes a second: one after another they would take hours
  CHECK(s.end);
}
