// A supervisor against a reference model: the contract again, in the plainest way that knows neither order of events
// nor time that passes within a call.

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <deque>
#include <fmt/format.h>
#include <random>

#include "world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct model {
  struct entry {
    std::string id;
    restart_type type = permanent;
    std::string is = "running"; // or stopped, restarting, waiting
    bool gated = false;         // has failed to start: waits for its turn of the mailbox
    bool asked = false;         // waits because a caller asked for its start
    bool added = false;         // by that call
    std::deque<time_point> window = {};
  };

  restart_strategy strategy = one_for_one;
  restart_limit limit;
  std::set<std::string> failing; // ids that cannot be started now
  std::deque<entry> children;
  std::deque<time_point> window;
  uint64_t named = 0; // children of the template so far
  bool ended = false;
  time_point now{};

  [[nodiscard]] bool simple() const { return strategy == simple_one_for_one; }
  entry* find(const std::string& id) {
    auto it = std::find_if(children.begin(), children.end(), [&](const entry& e) { return e.id == id; });
    return it == children.end() ? nullptr : &*it;
  }
  void erase(const std::string& id) {
    std::erase_if(children, [&](const entry& e) { return e.id == id; });
  }

  [[nodiscard]] bool is_group() const { return strategy == one_for_all || strategy == rest_for_one; }
  /// Whether what starts now has to wait for a gated child: in one_for_all any, in rest_for_one one before it.
  [[nodiscard]] bool must_wait(const entry* e) const {
    for (const auto& other : children) {
      if (&other == e && strategy == rest_for_one)
        return false;
      if (other.gated && is_group())
        return true;
    }
    return false;
  }

  bool count(entry& e) {
    auto& counted = limit.each ? e.window : window;
    std::erase_if(counted, [&](time_point t) { return now - t > limit.period; });
    counted.push_back(now);
    if (counted.size() > limit.restarts)
      ended = true;
    return !ended;
  }

  /// Starts what waits; at the first failed restart the strategy decides what has to wait again.
  void start_waiting() {
    for (auto& e : children) {
      if ((e.is != "waiting" && e.is != "restarting") || (e.gated && !is_group()))
        continue;
      if (must_wait(&e) || e.gated)
        break;
      if (!failing.contains(e.id)) {
        e.is = "running";
      } else if (e.asked) { // its caller is told; it does not count
        e.is = e.added ? "gone" : "stopped";
      } else if (!count(e)) {
        break;
      } else {
        e.is = "restarting";
        e.gated = true;
        if (is_group()) {
          group(e.id);
          break;
        }
      }
      e.asked = false;
    }
    std::erase_if(children, [](const entry& e) { return e.is == "gone"; });
  }

  /// One turn of the mailbox.
  void tick() {
    for (auto& e : children)
      e.gated = false;
    start_waiting();
  }

  /// All others, or those after `id`, are to start again.
  void group(const std::string& id) {
    bool in = strategy == one_for_all;
    for (auto& e : children) {
      if (e.id == id)
        in = true;
      else if (in && e.is == "running")
        e.is = e.type == temporary ? "gone" : "waiting";
      else if (in && e.is == "stopped")
        e.is = "waiting";
    }
    std::erase_if(children, [](const entry& e) { return e.is == "gone"; });
  }

  void die(const std::string& id, exit_kind kind) {
    auto* e = find(id);
    bool clean = kind == exit_kind::normal || kind == exit_kind::shutdown;
    if (e->type == temporary || (e->type == transient && clean)) {
      e->is = "stopped";
      if (e->type == temporary || simple())
        erase(id);
    } else if (count(*e)) {
      e->is = "restarting";
      group_or_self(id);
    }
  }

  void group_or_self(const std::string& id) {
    if (is_group()) {
      group(id);
      start_waiting();
    } else if (!failing.contains(id)) {
      find(id)->is = "running";
    } else {
      find(id)->gated = count(*find(id));
    }
  }

  std::optional<call_error> start(const std::string& id, restart_type type) {
    if (simple())
      return call_error::wrong_strategy;
    if (auto* e = find(id))
      return e->is == "stopped" ? call_error::already_present : call_error::already_started;
    bool wait = must_wait(nullptr);
    if (failing.contains(id) && !wait)
      return call_error::start_failed;
    children.push_back({id, type, wait ? "waiting" : "running", false, wait, wait});
    return {};
  }
  std::optional<call_error> start_from_template(restart_type type) {
    if (!simple())
      return call_error::wrong_strategy;
    auto id = fmt::format("w/{}", named++);
    if (failing.contains(id))
      return call_error::start_failed;
    children.push_back({id, type});
    return {};
  }
  std::optional<call_error> terminate(const std::string& id) {
    auto* e = find(id);
    if (!e)
      return call_error::not_found;
    e->is = "stopped";
    e->asked = e->gated = false;
    if (e->type == temporary || simple())
      erase(id);
    start_waiting(); // it may have been what the others waited for
    return {};
  }
  std::optional<call_error> restart(const std::string& id) {
    auto* e = find(id);
    if (!e || simple())
      return !e ? call_error::not_found : call_error::wrong_strategy;
    if (e->is != "stopped")
      return e->is == "running" ? call_error::running : call_error::restarting;
    bool wait = must_wait(e);
    if (failing.contains(id) && !wait)
      return call_error::start_failed;
    e->is = wait ? "waiting" : "running";
    e->asked = wait;
    e->added = false;
    return {};
  }
  std::optional<call_error> remove(const std::string& id) {
    auto* e = find(id);
    if (!e || simple())
      return !e ? call_error::not_found : call_error::wrong_strategy;
    if (e->is != "stopped")
      return e->is == "running" ? call_error::running : call_error::restarting;
    erase(id);
    return {};
  }
};

/// "a running", in start order.
strings plain_list(const supervisor_state& state) {
  strings result;
  for (const auto& c : list_children(state))
    result.push_back(fmt::format("{} {}", c.id, to_string(c.state)));
  return result;
}

strings plain_list(const model& m) {
  strings result;
  for (const auto& e : m.children)
    result.push_back(e.id + " " + e.is);
  return result;
}

} // namespace

TEST_CASE("10,000 random calls, deaths and failing starts leave every supervisor as the reference model says") {
  auto strategy = GENERATE(one_for_one, one_for_all, rest_for_one, simple_one_for_one);
  auto seed = GENERATE(range(1U, 6U));
  INFO(to_string(strategy) << ", seed " << seed);
  std::mt19937 random{seed};
  auto draw = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  const std::array types{permanent, transient, temporary};
  const std::array kinds{exit_kind::normal,    exit_kind::shutdown, exit_kind::error,
                         exit_kind::exception, exit_kind::kill,     exit_kind::connection_lost};

  int calls = 0, lives = 0, escalations = 0;
  while (calls < 10'000) {
    auto type = types[static_cast<size_t>(draw(3))];
    restart_limit limit{static_cast<uint32_t>(draw(6)), std::chrono::seconds{1 + draw(10)}};
    limit.each = (strategy == one_for_one || strategy == simple_one_for_one) && draw(2) == 0;
    world w{
      spec_of(strategy, strategy == simple_one_for_one ? strings{"w"} : strings{"w/0", "w/1", "w/2"}, type, limit)};
    model m{.strategy = strategy, .limit = limit, .failing = {}, .children = {}, .window = {}};
    if (strategy != simple_one_for_one)
      for (auto id : {"w/0", "w/1", "w/2"})
        m.children.push_back({id, type});
    w.begin();
    ++lives;
    for (int i = 0; i < 200 && !m.ended && calls < 10'000; ++i) { // some supervisors never end by themselves
      ++calls;
      // Mostly one that exists, so that calls and deaths meet.
      auto id = fmt::format("w/{}", draw(9));
      if (!m.children.empty() && draw(3) > 0)
        id = m.children[static_cast<size_t>(draw(static_cast<int>(m.children.size())))].id;
      std::optional<call_error> got, wanted;
      switch (draw(10)) {
      case 0: {
        auto t = types[static_cast<size_t>(draw(3))];
        got = w.start_child({.id = id, .restart = t}).error;
        wanted = m.start(id, t);
        break;
      }
      case 1:
        got = w.start_from_template().error;
        wanted = m.start_from_template(type);
        break;
      case 2:
        got = w.terminate(id).error;
        wanted = m.terminate(id);
        break;
      case 3:
        got = w.restart(id).error;
        wanted = m.restart(id);
        break;
      case 4:
        got = w.remove(id).error;
        wanted = m.remove(id);
        break;
      case 5:
      case 6: {
        auto kind = kinds[static_cast<size_t>(draw(6))];
        if (auto* e = m.find(id); e && e->is == "running") {
          w.die(id, kind);
          m.die(id, kind);
        }
        break;
      }
      case 7:
        if (draw(3) == 0)
          m.failing.insert(id);
        else
          m.failing.clear();
        w.fails_to_start = m.failing;
        break;
      case 8: { // time passes, and with it the retries' turn comes
        auto time = std::chrono::seconds{draw(4)} + std::chrono::nanoseconds{draw(2)};
        // All retries are due at once, before the time that passes.
        m.tick();
        w.pass(0s);
        m.now += time;
        w.now += time;
        break;
      }
      default:
        w.tell(event::child_ended{id, incarnation{0}, {}}); // late: of no incarnation that lives
      }
      INFO("call " << calls << " on " << id);
      REQUIRE(w.finished() == m.ended);
      REQUIRE(got == wanted);
      if (!m.ended)
        REQUIRE(plain_list(w.state) == plain_list(m));
    }
    escalations += m.ended ? 1 : 0;
  }
  CHECK(lives > 10); // else the calls were too harmless to say anything
  CHECK(escalations > 10);
}
