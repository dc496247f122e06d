// A node that votes, and a standby as its leader meets it.

#include "actors/standby.hpp"

#include <cmath>
#include <limits>

#include "actors/job_order.hpp"
#include "actors/standby_feed.hpp"
#include "tests/topology/hosts.hpp"

using namespace troupe;
using namespace troupe::test;
using namespace std::chrono_literals;

namespace {

lead_answer claim(const node_actor& where, caf::actor_system& system, uint64_t term, bool leads) {
  auto self = caf::scoped_actor{system};
  auto result = lead_answer{};
  troupe::request(self, where, 10s, claim_lead{"job", {term}, 1, leads})
    .receive([&](const lead_answer& a) { result = a; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
  return result;
}

follow_job order_of_small_job() {
  auto o = job_options{.batch = 8, .micro_batch = 8, .epochs = 2, .steps = 5};
  o.nodes = {"127.0.0.1:1"};
  o.standby = "127.0.0.1:2";
  o.optimizer = {.kind = learn::optimizer_kind::adam, .learning_rate = 0.25f, .clip_norm = 3};
  o.schedule = {learn::schedule_kind::step, 2, 3, 0.5f, 7};
  o.target_accuracy = 0.5;
  o.on_nonfinite = nonfinite::skip;
  o.checkpoint_every = 4;
  auto resolved = resolve(o);
  REQUIRE(resolved);
  auto what = small_job();
  what.optimizer = describe(o.optimizer);
  what.handler_limit_ms = 5000;
  return order_of(*resolved, what);
}

/// A standby and what it says of itself.
struct waiting_standby {
  waiting_standby()
    : actor(rt.system().spawn<standby, caf::detached>(
        standby::config{[](const takeover&) {}, [](const std::string&) {}, [](const std::string&) {}})) {}
  ~waiting_standby() { troupe::anon_send(actor, leave_run{}); }

  std::string follow(const follow_job& order) {
    auto self = caf::scoped_actor{rt.system()};
    auto result = std::string{"nothing"};
    troupe::request(self, actor, 60s, order)
      .receive([&](const following& f) { result = f.refusal; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return result;
  }
  std::string keep(size_t floats, float value, size_t buffers = 0) {
    auto self = caf::scoped_actor{rt.system()};
    auto values = payload::floats(floats);
    std::ranges::fill(values.mutable_floats(), value);
    auto result = std::string{"nothing"};
    troupe::request(self, actor, 10s, keep_state{"job", {3}, {0}, values, std::vector<payload>(buffers, values)})
      .receive([&](const state_kept& k) { result = k.refusal; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return result;
  }

  runtime rt{{.network = true}};
  standby_actor actor;
};

} // namespace

TEST_CASE(
  "a node whose job is led by another process ends the workers of the one before, and takes none of it (T4, I15)") {
  auto host = published_node{{.slots = 1, .worker = {.program = "/bin/false"}}};
  auto& system = host.rt.system();
  auto leader = caf::actor{system.spawn([](caf::event_based_actor*) { return caf::behavior{[](int) {}}; })};
  auto open = [&](const std::string& job) {
    auto who = caf::actor_cast<caf::strong_actor_ptr>(leader);
    return open_worker_on(system, host.actor, {job, {"agent", 0}, {1}, who}).error().sentence;
  };
  auto next = job_id_of("job", {2});
  CHECK(open("job").find("before it was ready") != std::string::npos);
  CHECK(open(next) == "its node refuses: it is taken by job job; wait for its end or name another node");
  REQUIRE(comes_true([&] { return claim(host.actor, system, 2, false).granted; }));
  CHECK(open(next).find("taken by job job") != std::string::npos); // it might not come to lead
  CHECK(claim(host.actor, system, 2, true).granted);
  CHECK(open(next).find("before it was ready") != std::string::npos);
  CHECK(open("job") == "its node refuses: another process leads job job by now");
  CHECK(claim(host.actor, system, 1, true).over);
  troupe::anon_send_exit(leader, caf::exit_reason::user_shutdown);
}

TEST_CASE("a standby would lead the job with the options of its leader") {
  auto order = order_of_small_job();
  auto job = hosted_job::open(order.what, std::make_shared<directory>());
  REQUIRE(job);
  auto o = options_of(order, **job);
  REQUIRE(o);
  CHECK(o->model == "lenet");
  CHECK(o->batch == 8);
  CHECK(o->epochs == 2);
  CHECK(o->steps == 5);
  CHECK(o->optimizer.kind == learn::optimizer_kind::adam);
  CHECK(o->optimizer.learning_rate == 0.25f);
  CHECK(o->optimizer.clip_norm == 3);
  CHECK(o->schedule.kind == learn::schedule_kind::step);
  CHECK(o->schedule.total_steps == 7);
  CHECK(o->on_nonfinite == nonfinite::skip);
  CHECK(o->checkpoint_every == 4);
  CHECK(o->handler_limit == 5s);
  CHECK(o->nodes == std::vector<std::string>{"127.0.0.1:1"});
  CHECK(o->standby.empty());
  auto which = 0;
  for (auto change : std::vector<std::function<void(follow_job&)>>{
         [](auto& x) { x.nodes.clear(); }, [](auto& x) { x.schedule = 9; }, [](auto& x) { x.on_nonfinite = 9; },
         [](auto& x) { x.learning_rate = std::numeric_limits<float>::infinity(); }, [](auto& x) { x.agents = 0; },
         [](auto& x) { x.agents = UINT32_MAX; }, [](auto& x) { x.sync = "gossip"; },
         [](auto& x) { x.nodes = {"nowhere"}; }, [](auto& x) { x.what.micro_batch = 0; }}) {
    auto wrong = order;
    change(wrong);
    INFO("change " << which++);
    CHECK_FALSE(options_of(wrong, **job));
  }
}

TEST_CASE("a standby follows one job, whose data it has, and keeps states of its model that are finite (I11)") {
  waiting_standby s;
  auto order = order_of_small_job();
  auto elsewhere = order;
  elsewhere.what.data = "/nowhere/to/be/found";
  CHECK(s.keep(1, 0) == "it does not follow this job");
  CHECK(s.follow(elsewhere).find("/nowhere/to/be/found") != std::string::npos);
  CHECK(s.follow(order).empty());
  CHECK(s.follow(order).empty()); // its leader is back
  auto another = order;
  another.job = "another";
  CHECK(s.follow(another) == "it is the standby of job job; start another one");
  auto job = hosted_job::open(order.what, std::make_shared<directory>());
  REQUIRE(job);
  auto size = (*job)->model->layout().size();
  CHECK(s.keep(size, 0.5f, 2).empty());
  CHECK(s.keep(size - 1, 0.5f).find("and the model") != std::string::npos);
  CHECK(s.keep(size, std::nanf("")) == "not all of its values are finite");
  CHECK(s.keep(size, 0.5f, 3) == "it has 3 buffers of the optimiser, and there are 2");
}

TEST_CASE("one state is under way to a standby at a time, and four times as long it rests then (R13)") {
  const auto t0 = feed_pace::time_point{} + 1h;
  auto pace = feed_pace{};
  CHECK_FALSE(pace.wants(t0));
  pace.follows(true);
  CHECK(pace.wants(t0));
  pace.begin(t0);
  CHECK_FALSE(pace.wants(t0 + 1h));
  pace.ended(t0 + 100ms);
  CHECK_FALSE(pace.wants(t0 + 499ms));
  CHECK(pace.wants(t0 + 500ms));
  pace.begin(t0 + 500ms);
  pace.ended(t0 + 501ms);
  CHECK_FALSE(pace.wants(t0 + 501ms + feed_pace::least_rest - 1ms));
  CHECK(pace.wants(t0 + 501ms + feed_pace::least_rest));
  pace.follows(false);
  CHECK_FALSE(pace.wants(t0 + 1h));
}
