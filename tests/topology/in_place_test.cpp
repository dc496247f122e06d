// Restarts in place through real actors, in virtual time: the handle stays, the mailbox is kept, nobody is left
// waiting.

#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "supervision/in_place.hpp"
#include "supervision/run_tree.hpp"
#include "virtual_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

/// What a test sees of all lives of one fragile state.
struct diary {
  strings did;             ///< "life 1", "got 3", "end of life 1"
  std::vector<int> poison; ///< numbers that fail it, every time
  int failures_left = 0;   ///< further numbers fail it so often
  int cannot_be_made = 0;  ///< so many lives fail at once
};

/// As CAF 1.x writes it.
std::string text_of(const caf::error& e) {
  constexpr std::string_view prefix = "caf::sec::"; // 0.18
  auto text = caf::to_string(e);
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

/// Takes numbers; answers strings with themselves: at once, or "later" on the next number.
class fragile {
public:
  using interface = caf::typed_actor<caf::result<void>(int), caf::result<std::string>(std::string)>;
  struct config {
    diary* book = nullptr;
  };
  static constexpr const char* actor_name = "troupe.test.fragile";

  fragile(interface::pointer self, life now, const config& c) : self_(self), now_(std::move(now)), book_(*c.book) {
    if (book_.cannot_be_made > 0) {
      --book_.cannot_be_made;
      throw std::runtime_error("no life");
    }
    book_.did.push_back("life " + std::to_string(now_.number().value));
  }
  ~fragile() { book_.did.push_back("end of life " + std::to_string(now_.number().value)); }

  interface::behavior_type make_behavior() {
    return {
      [this](int x) {
        if (std::find(book_.poison.begin(), book_.poison.end(), x) != book_.poison.end() || book_.failures_left-- > 0)
          throw std::runtime_error("cannot stand " + std::to_string(x));
        book_.failures_left = 0;
        book_.did.push_back("got " + std::to_string(x));
        if (x == 100)
          run_after(self_, 1s, now_.guard([this] { book_.did.push_back("timer"); }));
        if (x == 101)
          run_after(self_, 1s, now_.guard([] { throw std::runtime_error("timer failed"); }));
        if (x == 102)
          now_.fail({"as told"});
      },
      [this](const std::string& text) -> caf::result<std::string> {
        if (text == "throw")
          throw std::runtime_error("as asked");
        if (text == "promise and throw") {
          auto promise = self_->make_response_promise<std::string>();
          throw std::runtime_error("as asked");
        }
        if (text != "later")
          return text;
        promises_.push_back(self_->make_response_promise<std::string>());
        return promises_.back();
      },
    };
  }

private:
  interface::pointer self_;
  life now_;
  diary& book_;
  std::vector<caf::typed_response_promise<std::string>> promises_;
};

struct stage : virtual_system {
  diary book;
  fragile::interface handle;
  int starts = 0;
  std::vector<supervision_report> reports;
  std::optional<tree_end> end;
  std::optional<running_tree> tree;

  explicit stage(restart_limit limit = at_most(1000, 1min), restart_strategy strategy = one_for_one) {
    auto child = startable{"fragile/0", [this](const start_context& c) -> started {
                             ++starts;
                             return handle = spawn_in_place<fragile>(c.system, c.link(), {&book});
                           }};
    auto running = run_tree(system(), supervise("root", strategy, limit).child(child),
                            {.on_ready = nullptr,
                             .on_report = [this](const supervision_report& r) { reports.push_back(r); },
                             .on_end = [this](const tree_end& e) { end = e; }});
    REQUIRE(running);
    tree = std::move(*running);
    run();
  }
  ~stage() {
    if (!end) {
      tree->stop();
      pass(1min);
    }
    handle = nullptr;
    run();
  }

  strings seen() { return std::exchange(book.did, {}); }

  /// Sends a request; `answers` tells everything that came back.
  void ask(const std::string& text) {
    auto answers = std::make_shared<strings>();
    system().spawn([=, this](caf::event_based_actor* self) {
      request(self, handle, 10s, text)
        .then([=](const std::string& x) { answers->push_back(x); },
              [=](const caf::error& e) {
                answers->push_back(e == caf::sec::broken_promise ? "broken promise" : text_of(e));
              });
    });
    asked_.push_back(answers);
  }
  strings answers() {
    strings all;
    for (auto& each : asked_)
      all.insert(all.end(), each->begin(), each->end());
    asked_.clear();
    return all;
  }

private:
  std::vector<std::shared_ptr<strings>> asked_;
};

} // namespace

TEST_CASE(
  "T3: an exception replaces the state; handle and mailbox stay, and the message is tried again before all others") {
  stage s;
  auto before = s.handle;
  s.seen();
  s.book.failures_left = 1;
  for (int x : {1, 2, 3})
    troupe::anon_send(s.handle, x);
  s.run();
  CHECK(s.seen() == strings{"end of life 1", "life 2", "got 1", "got 2", "got 3"});
  CHECK(s.starts == 1);
  CHECK(s.handle == before);
  REQUIRE(s.reports.size() == 1);
  CHECK(s.reports[0].what == decision::replace);
  CHECK(s.reports[0].cause.kind == exit_kind::exception);
  CHECK(s.reports[0].cause.chain.at(0) == "cannot stand 1");
  CHECK(s.reports[0].cause.chain.at(1).starts_with("while it handled "));
  CHECK(s.tree->restarts() == 1);
}

TEST_CASE("T3: a message that fails twice is quarantined, and what came behind it is handled") {
  stage s;
  s.seen();
  s.book.poison = {7};
  for (int x : {6, 7, 8})
    troupe::anon_send(s.handle, x);
  s.run();
  CHECK(s.seen() == strings{"got 6", "end of life 1", "life 2", "end of life 2", "life 3", "got 8"});
  REQUIRE(s.reports.size() == 2);
  CHECK(s.reports[1].cause.chain.at(1).ends_with("which is not tried again"));
}

TEST_CASE("T3 I13: kept and dropped messages add up to those sent, whichever are poison") {
  stage s;
  s.seen();
  for (int x = 0; x < 1000; ++x)
    if (x % 7 == 3)
      s.book.poison.push_back(x);
  for (int x = 0; x < 1000; ++x)
    troupe::anon_send(s.handle, x == 100 || x == 101 || x == 102 ? 99 : x);
  s.run();
  auto did = s.seen();
  auto got = std::count_if(did.begin(), did.end(), [](const auto& line) { return line.starts_with("got "); });
  auto poison = static_cast<ptrdiff_t>(s.book.poison.size()) - 1; // 101 is poison, and was not sent
  CHECK(got + poison == 1000);
  CHECK(s.tree->restarts() == 2 * static_cast<uint64_t>(poison));
  CHECK(s.starts == 1);
}

TEST_CASE("T3: a request during a crash, and each that waits for a promise, gets one error; those in the mailbox are "
          "answered") {
  stage s;
  s.ask("later");
  s.ask("later");
  s.run();
  s.ask("throw");
  s.ask("promise and throw");
  s.ask("after");
  s.run();
  CHECK(s.answers() == strings{"broken promise", "broken promise",
                               R"(runtime_error("the state of the actor failed while it handled this request"))",
                               "broken promise", "after"});
  s.pass(1min); // nothing is answered twice, and nothing by its deadline
  CHECK(s.answers().empty());
  CHECK(s.tree->restarts() == 2);
}

TEST_CASE("T7: the report of a child that ends names its last messages, however it ended") {
  stage s;
  troupe::anon_send(s.handle, 1);
  troupe::anon_send(s.handle, 2);
  s.run();
  troupe::anon_send_exit(s.handle, caf::exit_reason::kill);
  s.run();
  REQUIRE(s.reports.size() == 1);
  CHECK(s.reports[0].cause.kind == exit_kind::kill);
  CHECK(s.reports[0].cause.chain.back() == "its last messages: int32_t, int32_t");
}

TEST_CASE("T2: timers of a life that is over are dropped; one that fails ends its life") {
  stage s;
  s.seen();
  troupe::anon_send(s.handle, 100);
  s.run();
  s.book.failures_left = 1;
  troupe::anon_send(s.handle, 1);
  s.pass(10s);
  CHECK(s.seen() == strings{"got 100", "end of life 1", "life 2", "got 1"});
  troupe::anon_send(s.handle, 101);
  s.pass(10s);
  CHECK(s.seen() == strings{"got 101", "end of life 2", "life 3"});
  CHECK(s.reports.back().cause.chain.at(0) == "timer failed");
}

TEST_CASE("T3: a life can end itself by a word of another thread, and the reason is an error") {
  stage s;
  s.seen();
  troupe::anon_send(s.handle, 102);
  s.run();
  CHECK(s.seen() == strings{"got 102", "end of life 1", "life 2"});
  CHECK(s.reports.back().cause.kind == exit_kind::error);
  CHECK(s.reports.back().cause.chain.at(0) == "as told");
}

TEST_CASE("T3 S5: a state that cannot be made is tried again within the limit, and its message waits meanwhile") {
  stage s;
  s.seen();
  s.book.failures_left = 1;
  s.book.cannot_be_made = 3;
  troupe::anon_send(s.handle, 1);
  s.run();
  CHECK(s.seen() == strings{"end of life 1", "life 5", "got 1"});
  CHECK(s.tree->restarts() == 4);
}

TEST_CASE("T3 S4 T7: beyond the limit the tree ends, and its report names the message and those before it") {
  stage s{at_most(1, 1min)};
  s.book.poison = {7};
  troupe::anon_send(s.handle, 6);
  troupe::anon_send(s.handle, 7);
  s.run();
  REQUIRE(s.end);
  CHECK(s.end->failed());
  auto text = to_string(*s.end);
  CHECK(text.find("supervisor root gave up") != std::string::npos);
  CHECK(text.find("while it handled message(7), which is not tried again") != std::string::npos);
  CHECK(text.find("its last messages: int32_t, int32_t") != std::string::npos);
}

TEST_CASE("T3: in a group the actor ends, and a new one takes its place") {
  stage s{at_most(5, 1min), one_for_all};
  auto before = s.handle;
  s.seen();
  s.book.failures_left = 1;
  troupe::anon_send(s.handle, 1);
  s.run();
  CHECK(s.seen() == strings{"end of life 1", "life 2"});
  CHECK(s.starts == 2);
  CHECK(s.handle != before);
  CHECK(s.reports.back().cause.kind == exit_kind::exception);
}

TEST_CASE("a shell without a supervisor ends with the failure of its state, as any actor would") {
  virtual_system v;
  diary book;
  auto handle = spawn_in_place<fragile>(v.system(), {}, {&book});
  auto reason = caf::error{};
  caf::actor_cast<caf::abstract_actor*>(handle)->attach_functor([&](const caf::error& e) { reason = e; });
  book.poison = {1};
  troupe::anon_send(handle, 1);
  v.run();
  CHECK(cause_of(reason).kind == exit_kind::exception);
  CHECK(cause_of(reason).chain.at(0) == "cannot stand 1");
}
