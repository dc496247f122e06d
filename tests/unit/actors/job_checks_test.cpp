#include <catch2/catch_test_macros.hpp>

#include "actors/job.hpp"

using namespace troupe;

TEST_CASE("jobs that contradict themselves are refused with one sentence") {
  auto refused = [](auto change) {
    auto o = job_options{.batch = 24, .micro_batch = 4, .epochs = 0, .steps = 8};
    REQUIRE(validate(o));
    change(o);
    auto r = validate(o);
    REQUIRE_FALSE(r);
    CHECK(r.error().sentence.find('\n') == std::string::npos);
    return r.error().sentence;
  };
  CHECK(refused([](auto& o) { o.model = "lenett"; }).find("lenet") != std::string::npos);
  CHECK(refused([](auto& o) { o.micro_batch = 7; }).find("multiple") != std::string::npos);
  CHECK(refused([](auto& o) { o.agents = 7; }).find("at most 6") != std::string::npos);
  CHECK(refused([](auto& o) { o.agents = 0; }).find("at least 1 agent") != std::string::npos);
  CHECK(refused([](auto& o) { o.steps = 0; }).find("--epochs") != std::string::npos);
  CHECK(refused([](auto& o) { o.sync = "gosip"; }).find("tree") != std::string::npos);
  CHECK(refused([](auto& o) { o.standby = "localhost:1"; }).find("--nodes") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.standby = "localhost";
        }).find("HOST:PORT") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.standby = "localhost:2";
          o.changes = {{4, "sync", "ring"}};
        }).find("--switch") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.standby = "localhost:2";
          o.local_steps = 4;
        }).find("--local-steps") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.standby = "localhost:2";
          o.place = place_rule::pack;
        }).find("--place pack") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.standby = "localhost:2";
          o.exchange = learn::exchange_kind::rotating;
        }).find("--exchange") != std::string::npos);
  CHECK(refused([](auto& o) { o.fan_in = 2; }).find("--sync tree") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "ring";
          o.staleness = 2;
        }).find("--staleness") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "ring";
          o.nodes = {"localhost:1"};
          o.faults = {parse_fault("ring_peer/0@step=1:kill").value()};
        }).find("TROUPE_FAULTS") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "sharded";
          o.shards = 2;
        }) == "each agent holds its part of the parameters itself: leave out --shards, or choose --sync ps");
  CHECK(refused([](auto& o) {
          o.sync = "sharded";
          o.agents = o.least_agents = 2;
          o.faults = {parse_fault("shard_holder/2@step=1:kill").value()}; // there is one for each agent
        }).find("no shard_holder/2") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.sync = "sharded";
          o.nodes = {"localhost:1"};
          o.faults = {parse_fault("shard_holder/0@step=1:kill").value()};
        }).find("TROUPE_FAULTS") != std::string::npos);
  CHECK(refused([](auto& o) { o.place = place_rule::pack; }) ==
        "--place pack is for agents on nodes: name some with --nodes or --hostfile, or leave it out");
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.agents = 2;
          o.place = place_rule::one_per;
        }).find("for 2 agents there is only 1 node") != std::string::npos);
  CHECK(refused([](auto& o) { o.staleness = 65; }).find("64") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.reproducible = true;
          o.asynchronous = true;
        }) == "only agents that keep in step end with the same bits whatever their number: leave out --reproducible or "
              "--staleness");
  CHECK(refused([](auto& o) {
          o.exchange = learn::exchange_kind::fixed;
          o.asynchronous = true;
        }).find("leave out --exchange static, or choose a number of updates") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.shard_dir = "shards";
          o.exchange = learn::exchange_kind::fixed;
        }).find("give --exchange static or rotate, and --isolation process or --nodes") != std::string::npos);
  CHECK(refused([](auto& o) {
          o.exchange = learn::exchange_kind::rotating;
          o.reproducible = true;
        }).find("leave out --exchange or --reproducible") != std::string::npos);
  CHECK(refused([](auto& o) { o.device = "cuda"; }).find("cpu") != std::string::npos);
  CHECK(refused([](auto& o) { o.resume = true; }).find("--checkpoint") != std::string::npos);
  CHECK(refused([](auto& o) { o.nodes = {"somewhere"}; }).find("HOST:PORT") != std::string::npos);
  CHECK(refused([](auto& o) { o.optimizer.learning_rate = 0; }).find("positive") != std::string::npos);
  CHECK(refused([](auto& o) { o.target_accuracy = 97; }).find("fraction") != std::string::npos);
}

TEST_CASE("what agents that gossip cannot do is refused with one sentence") {
  const auto refused = [](auto change) {
    auto o = job_options{.sync = "gossip", .agents = 2, .batch = 24, .micro_batch = 4, .epochs = 0, .steps = 8};
    REQUIRE(validate(o));
    change(o);
    auto r = validate(o);
    REQUIRE_FALSE(r);
    CHECK(r.error().sentence.find('\n') == std::string::npos);
    return r.error().sentence;
  };
  CHECK(refused([](auto& o) { o.staleness = 1; }) ==
        "agents that gossip keep in step: leave out --staleness, or choose --sync ps");
  CHECK(refused([](auto& o) { o.asynchronous = true; }).find("--staleness") != std::string::npos);
  CHECK(refused([](auto& o) { o.shards = 2; }).find("--shards") != std::string::npos);
  CHECK(refused([](auto& o) { o.local_steps = 2; }).find("--local-steps") != std::string::npos);
  CHECK(refused([](auto& o) { o.optimizer.clip_norm = 1; }).find("--clip-norm") != std::string::npos);
  CHECK(refused([](auto& o) { o.on_nonfinite = nonfinite::skip; }).find("--on-nan rewind") != std::string::npos);
  CHECK(refused([](auto& o) { o.reproducible = true; }) ==
        "agents that gossip have a replica each, so what they end with depends on their number: leave out "
        "--reproducible, or choose --sync ps or ring");
  CHECK(refused([](auto& o) { o.combine = learn::parse_combine("median").value(); }).find("--combine") !=
        std::string::npos);
  CHECK(refused([](auto& o) { o.compression.kind = learn::compression_kind::int8; }).find("--compress") !=
        std::string::npos);
  CHECK(refused([](auto& o) { o.faults = {parse_fault("ring_peer/0@step=1:kill").value()}; }).find("no ring_peer/0") !=
        std::string::npos);
  CHECK(refused([](auto& o) {
          o.nodes = {"localhost:1"};
          o.faults = {parse_fault("gossip_peer/0@step=1:kill").value()};
        }).find("TROUPE_FAULTS") != std::string::npos);
}

TEST_CASE("gossip: there is a gossip peer for each agent and no shard holder") {
  const auto tree = describe_tree({.sync = "gossip", .agents = 3, .least_agents = 2});
  REQUIRE(tree);
  CHECK(tree->find("gossip_peer/2") != std::string::npos);
  CHECK(tree->find("shard_holder") == std::string::npos);
}

TEST_CASE("sharded: there is a shard holder for each agent, and in processes a replica; all are restarted alone") {
  const auto tree = describe_tree({.sync = "sharded", .agents = 4, .least_agents = 2});
  REQUIRE(tree);
  CHECK(tree->find("shards             one_for_one") != std::string::npos);
  CHECK(tree->find("shard_holder/3") != std::string::npos);
  CHECK(tree->find("shard_replica/0") == std::string::npos);
  const auto apart =
    describe_tree({.sync = "sharded", .agents = 4, .least_agents = 2, .isolation = isolation::process});
  REQUIRE(apart);
  CHECK(apart->find("shard_replica/3") != std::string::npos);
  CHECK(tree->find("agent/3") != std::string::npos);
}
