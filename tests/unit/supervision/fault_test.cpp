#include "supervision/fault_points.hpp"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <unistd.h>

#include "supervision/shared_flags.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr fault_place here{"test.fault.here", "agent", actor_faults | message_faults | fault_kinds{fault_kind::nan}};
constexpr fault_place there{"test.fault.there", "agent", fault_kinds{fault_kind::nan}};

std::string refused(const std::string& text) {
  const auto parsed = parse_fault(text);
  return parsed ? "parsed as " + to_string(*parsed) : parsed.error().sentence;
}

fault from(const std::string& text) {
  return parse_fault(text).value();
}

std::optional<fault_kind> pass(const fault_place& place, const role_id& role, uint64_t incarnation = 1,
                               uint64_t step = 0) {
  return TROUPE_FAULT(place, role, {incarnation}, step).kind;
}

} // namespace

TEST_CASE("a fault reads as it is written") {
  CHECK(from("agent/1@step=20:kill") == fault{"agent/1", 20, fault_kind::kill_actor, 0ns});
  CHECK(from("actors.agent.before_push:nan") == fault{"actors.agent.before_push", {}, fault_kind::nan, 0ns});
  CHECK(from("shard_holder/0:stall=300ms") == fault{"shard_holder/0", {}, fault_kind::stall, 300ms});
  CHECK(from("agent/0:stop-process=2s").time == 2s);
  CHECK(from("agent/0:delay=1min").time == 1min);
  for (const char* kind : {"exception", "error", "kill", "kill-process", "stop-process=5000ms", "stall=20ms", "nan",
                           "drop", "delay=1ms", "duplicate", "disk-full", "torn-write"}) {
    const auto text = std::string{"agent/0@step=3:"} + kind;
    CHECK(to_string(from(text)) == text);
  }
}

TEST_CASE("what is no fault is refused with what to write instead") {
  CHECK(refused("agent/1") ==
        "\"agent/1\" is no fault: write WHERE[@step=N]:KIND[=TIME], for example agent/1@step=20:kill");
  CHECK(refused(":kill").starts_with("\":kill\" is no fault"));
  CHECK(refused("").starts_with("\"\" is no fault"));
  CHECK(refused("agent/1:kil") ==
        "there is no kind of fault \"kil\": choose one of exception, error, kill, kill-process, "
        "stop-process, stall, nan, poison, drop, delay, duplicate, disk-full, torn-write, leave");
  CHECK(refused("agent/1@hit=3:kill") == "\"@hit=3\" is no condition: write @step=N, for example agent/1@step=20:kill");
  CHECK(refused("agent/1@step=:kill").starts_with("\"@step=\" is no condition"));
  CHECK(refused("agent/1@step=-1:kill").starts_with("\"@step=-1\" is no condition"));
  CHECK(refused("agent/1:kill=2s") == "kill takes no time: leave \"=2s\" out");
  CHECK(refused("agent/1:stall") == "stall has to know for how long: write for example stall=2s");
  for (const char* bad : {"2", "s", "-1s", "0s", "2h", "25000min", "99999999999999999999s"})
    CHECK(refused(std::string{"agent/1:stall="} + bad) ==
          "\"" + std::string{bad} + "\" is no time: write for example 2s, 300ms or 1min, up to a day");
}

TEST_CASE("a fault point does nothing unless it is armed") {
  CHECK_FALSE(fault_points::armed());
  CHECK_FALSE(pass(here, {"agent", 1}));
  {
    const armed_faults one{{from("agent/1:drop")}};
    CHECK(fault_points::armed());
  }
  CHECK_FALSE(fault_points::armed());
  CHECK_FALSE(pass(here, {"agent", 1}));
}

TEST_CASE("a fault happens once, to the role, place and step that it names, and where it can be carried out") {
  const armed_faults some{{from("agent/1@step=5:drop"), from("test.fault.there:nan"), from("agent/2:nan")}};
  CHECK_FALSE(pass(here, {"agent", 0}, 1, 9));
  CHECK_FALSE(pass(here, {"agent", 1}, 1, 4));
  CHECK_FALSE(pass(here, {"agent", 0}));
  CHECK(pass(there, {"agent", 7}) == fault_kind::nan);
  CHECK_FALSE(pass(there, {"agent", 7}));
  CHECK_FALSE(pass(there, {"agent", 1}, 1, 9)); // cannot drop
  CHECK(pass(here, {"agent", 1}, 1, 6) == fault_kind::drop);
  CHECK_FALSE(pass(here, {"agent", 1}, 1, 6));
  CHECK(pass(here, {"agent", 2}) == fault_kind::nan);
}

TEST_CASE("the n-th fault that ends a role waits for its n-th incarnation") {
  const armed_faults some{{from("agent/1@step=5:kill"), from("agent/1:drop"), from("agent/1@step=5:error")}};
  CHECK(pass(here, {"agent", 1}, 1, 4) == fault_kind::drop); // which does not end it
  CHECK(pass(here, {"agent", 1}, 1, 5) == fault_kind::kill_actor);
  CHECK_FALSE(pass(here, {"agent", 1}, 1, 9));
  CHECK(pass(here, {"agent", 1}, 3, 9) == fault_kind::error); // the second one ended by something else
  CHECK_FALSE(pass(here, {"agent", 1}, 4, 9));
}

TEST_CASE("a fault whose flag is shared happens in one process of all") {
  const auto mine = shared_flags::create(2).value();
  const auto theirs = shared_flags::inherit(::dup(mine.descriptor()), 2).value(); // another mapping, as in a child
  fault_points::arm(from("agent/1:drop"), mine.at(0));
  fault_points::arm(from("agent/1:nan"), mine.at(1));
  CHECK_FALSE(theirs.at(0)->exchange(true)); // it happens there
  CHECK(pass(here, {"agent", 1}) == fault_kind::nan);
  CHECK(theirs.at(1)->load());
  CHECK_FALSE(pass(here, {"agent", 1}));
  fault_points::disarm();
}

TEST_CASE("a descriptor that is no shared memory is refused with its number") {
  CHECK(shared_flags::inherit(987, 1).error().sentence == "descriptor 987 is no memory shared with a parent");
  CHECK_FALSE(shared_flags::inherit(shared_flags::create(1).value().descriptor(), 2));
}

TEST_CASE("an exception is thrown at the point, and names it") {
  const armed_faults one{{from("agent/1@step=2:exception")}};
  try {
    pass(here, {"agent", 1}, 1, 3);
    FAIL("nothing was thrown");
  } catch (const std::runtime_error& e) {
    CHECK(std::string{e.what()} == "planned fault agent/1@step=2:exception at test.fault.here");
  }
  CHECK_FALSE(pass(here, {"agent", 1}, 1, 3));
}

TEST_CASE("a fault that delays keeps its time for the place to carry out") {
  const armed_faults one{{from("agent/1:delay=30ms")}};
  const auto fault = TROUPE_FAULT(here, {"agent", 1}, {1}, 0);
  CHECK(fault.is(fault_kind::delay));
  CHECK(fault.time == 30ms);
}
