// Ways to synchronise, with the whole job in one process.

#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <tuple>
#include <vector>

#include "actors/audit.hpp"
#include "learn/safetensors.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/topology/small_job.hpp"

using namespace troupe;
using test::run;
using test::small_job;

namespace {

job_options job_of(int agents) {
  auto o = small_job();
  o.agents = agents;
  o.steps = 12;
  o.schedule.kind = learn::schedule_kind::cosine;
  return o;
}

job_options gossip(int agents) {
  auto o = job_of(agents);
  o.sync = "gossip";
  return o;
}

// Each agent holds its part of the parameters, of a model that has three blocks of them.
job_options sharded(int agents) {
  auto o = job_of(agents);
  o.model = "mlp";
  o.sync = "sharded";
  return o;
}

} // namespace

TEST_CASE("a ring of agents trains what parameter shards train, but for the order of summation (I10)") {
  const auto* model = GENERATE("lenet", "mlp"); // by doubling and pairwise
  auto alone = job_of(1);
  alone.model = model;
  const auto shards = run(alone);
  for (int agents : {1, 2, 3, 4}) {
    auto o = job_of(agents);
    o.model = model;
    o.sync = "ring";
    const auto ring = run(o);
    INFO(agents << " agents, " << model);
    CHECK(ring.steps == 12);
    CHECK(ring.samples == 12ul * 24);
    REQUIRE(ring.train_loss.size() == shards.train_loss.size());
    for (size_t i = 0; i < ring.train_loss.size(); ++i)
      CHECK(std::abs(ring.train_loss[i].second - shards.train_loss[i].second) < 1e-5 * shards.train_loss[i].second);
    CHECK(run(o).weights_sha256 == ring.weights_sha256);
  }
}

TEST_CASE("a ring, and agents that hold a part each, send what their formulas say for each agent and step") {
  auto each_to_its_owner = [](uint64_t w) { return 2 * (w - 1); };
  auto by_doubling = [](uint64_t w) { // those that fold in and are told, and log2 of the others
    auto power = std::bit_floor(w);
    return 2 * (w - power) + power * static_cast<uint64_t>(std::bit_width(power) - 1);
  };
  for (const auto& [way, model, floats] : {std::tuple{"ring", "mlp", +each_to_its_owner},
                                           {"ring", "lenet", +by_doubling}, // it is small
                                           {"sharded", "mlp", +each_to_its_owner}})
    for (uint64_t w : {1u, 2u, 3u, 4u}) {
      auto o = sharded(static_cast<int>(w));
      o.model = model;
      o.micro_batch = 24 / w; // one each: else a lease may take more than one node of the sum's tree
      o.sync = way;
      o.steps = 30; // beside which the first parameters and the gradients that come too late hardly count
      const auto r = run(o);
      const auto formula = 30ul * 4 * r.parameters * floats(w);
      INFO(way << ", " << model << ", " << w << " agents, " << r.sent_bytes << " bytes, formula " << formula);
      CHECK(static_cast<double>(r.sent_bytes) <= 1.05 * static_cast<double>(formula));
      CHECK(static_cast<double>(r.sent_bytes) >= static_cast<double>(formula));
    }
}

TEST_CASE("agents that hold a part each end with the bits of parameter shards, whatever they do with them (I10)") {
  const auto ways = std::vector<void (*)(job_options&)>{
    [](auto&) {},
    [](auto& o) {
      o.local_steps = 2;
      o.optimizer.kind = learn::optimizer_kind::adamw;
      o.optimizer.learning_rate = 0.001f;
    },
    [](auto& o) { o.combine = learn::parse_combine("median").value(); },
    [](auto& o) { o.reproducible = true; },
  };
  for (size_t way = 0; way < ways.size(); ++way) {
    auto o = sharded(1);
    ways[way](o);
    o.sync = "ps";
    const auto wanted = run(o).weights_sha256;
    o.sync = "sharded";
    for (int agents : {1, 2, 3, 4}) {
      o.agents = agents;
      INFO("way " << way << ", " << agents << " agents");
      CHECK(run(o).weights_sha256 == wanted);
    }
  }
}

TEST_CASE("agents that hold a part each send compressed gradients as to parameter shards, bit by bit") {
  auto o = sharded(3);
  o.compression = learn::parse_compression("int8").value();
  o.sync = "ps";
  const auto wanted = run(o).weights_sha256;
  o.sync = "sharded";
  CHECK(run(o).weights_sha256 == wanted);
}

TEST_CASE("agents that hold a part each keep to the staleness bound, and run asynchronously") {
  auto o = sharded(3);
  o.optimizer.kind = learn::optimizer_kind::sgd;
  o.staleness = 2;
  const auto bounded = run(o);
  CHECK(bounded.samples == 12ul * 24);
  CHECK(bounded.staleness.rbegin()->first <= 2);
  o.staleness = 0;
  o.asynchronous = true;
  CHECK(run(o).samples == 12ul * 24);
}

TEST_CASE("an agent or a shard holder beside it that fails, is killed or leaves costs no bit (I10)") {
  auto o = sharded(3);
  const auto wanted = run(o).weights_sha256;
  for (auto* what : {"agent/1@step=3:kill", "shard_holder/2@step=4:exception", "shard_holder/0@step=5:kill",
                     "data_broker/0@step=6:exception", "agent/2@step=8:leave"})
    o.faults.push_back(parse_fault(what).value());
  const auto r = run(o);
  CHECK(r.weights_sha256 == wanted);
  CHECK(r.restarts == 4); // each by itself
  CHECK(r.samples == 12ul * 24);
}

TEST_CASE("a run of agents that hold a part each goes on with parameter shards, and back, with the same bits (I7)") {
  const auto folder = test::temporary_folder{};
  auto o = sharded(2);
  o.schedule.kind = learn::schedule_kind::constant;
  const auto whole = run(o);
  o.checkpoint = (folder.path() / "kept").string();
  for (auto [sync, agents, steps] : {std::tuple{"sharded", 2, 4}, {"ps", 1, 8}, {"sharded", 3, 12}}) {
    o.sync = sync;
    o.agents = agents;
    o.steps = static_cast<uint64_t>(steps);
    CHECK((run(o).weights_sha256 == whole.weights_sha256) == (steps == 12));
    o.resume = true;
  }
}

TEST_CASE("agents and ring peers that are killed cost a ring nothing but time (I10)") {
  auto o = job_of(3);
  o.sync = "ring";
  const auto undisturbed = run(o);
  for (auto* what : {"agent/1@step=3:kill", "ring_peer/2@step=4:exception", "ring_peer/0@step=5:kill",
                     "data_broker/0@step=6:exception"})
    o.faults.push_back(parse_fault(what).value());
  const auto disturbed = run(o);
  CHECK(disturbed.restarts == 4);
  CHECK(disturbed.samples == 12ul * 24);
  REQUIRE(disturbed.train_loss.size() == undisturbed.train_loss.size());
  CHECK(std::abs(disturbed.train_loss.back().second - undisturbed.train_loss.back().second) <
        1e-4 * undisturbed.train_loss.back().second);
}

TEST_CASE("a ring is stopped and resumed with the bits of the uninterrupted run (I7)") {
  const auto folder = test::temporary_folder{};
  auto o = job_of(2);
  o.sync = "ring";
  o.schedule.kind = learn::schedule_kind::constant;
  const auto whole = run(o);
  o.checkpoint = (folder.path() / "kept").string();
  o.steps = 5;
  run(o);
  o.steps = 12;
  o.resume = true;
  CHECK(run(o).weights_sha256 == whole.weights_sha256);
}

TEST_CASE("agents that gossip end with the same bits on every run, near what parameter shards end with (I14)") {
  const auto shards = run(job_of(1)).train_loss.back().second;
  for (int agents : {1, 2, 3, 4}) {
    const auto o = gossip(agents);
    const auto r = run(o);
    INFO(agents << " agents");
    CHECK(r.steps == 12);
    CHECK(r.samples == 12ul * 24);
    CHECK(std::abs(r.train_loss.back().second - shards) < (agents <= 2 ? 1e-4 : 0.1) * shards);
    CHECK(run(o).weights_sha256 == r.weights_sha256);
  }
}

TEST_CASE("an agent that gossips sends n floats a step, and gets as many; once for each other where all meet") {
  for (uint64_t w : {1u, 2u, 3u, 4u}) {
    auto o = gossip(static_cast<int>(w));
    o.steps = 60;
    const auto r = run(o);
    const auto meeting = w * (w - 1); // before the end
    const auto formula = 4 * r.parameters * (59 * (w - w % 2) + meeting);
    INFO(w << " agents, " << r.sent_bytes << " bytes, formula " << formula);
    CHECK(static_cast<double>(r.sent_bytes) <= 1.05 * static_cast<double>(formula));
    CHECK(static_cast<double>(r.sent_bytes) >= static_cast<double>(formula));
  }
}

TEST_CASE("agents and gossip peers that are killed, fail or leave cost no sample, and the run goes on (I1, I8)") {
  const auto folder = test::temporary_folder{};
  auto o = gossip(4);
  o.steps = 20;
  const auto undisturbed = run(o);
  o.ledger = (folder.path() / "ledger").string();
  for (auto* what : {"agent/1@step=3:kill", "gossip_peer/2@step=4:exception", "gossip_peer/0@step=5:kill",
                     "data_broker/0@step=6:exception", "agent/3@step=10:leave", "gossip_peer/1@step=15:kill"})
    o.faults.push_back(parse_fault(what).value());
  const auto r = run(o);
  CHECK(r.restarts == 5);
  CHECK(r.samples == 20ul * 24);
  CHECK(std::abs(r.train_loss.back().second - undisturbed.train_loss.back().second) <
        0.2 * undisturbed.train_loss.back().second);
  const auto found = audit_ledger(o.ledger);
  REQUIRE(found);
  CHECK(found->missing == 0);
  CHECK(found->doubled == 0);
}

TEST_CASE(
  "a gossip peer that fails in place comes back with its own replica, and a coordinator too: no bit differs (I10)") {
  auto o = gossip(3);
  const auto wanted = run(o).weights_sha256;
  for (auto* what : {"gossip_peer/2@step=4:exception", "coordinator/0@step=6:exception", "agent/1@step=9:exception"})
    o.faults.push_back(parse_fault(what).value());
  CHECK(run(o).weights_sha256 == wanted);
}

TEST_CASE("agents that gossip are stopped at a checkpoint and resumed with the bits of the uninterrupted run (I7)") {
  auto o = gossip(3);
  o.schedule.kind = learn::schedule_kind::constant;
  o.checkpoint_every = 4;
  const auto kept = [&](const test::temporary_folder& folder, uint64_t steps) {
    o.checkpoint = (folder.path() / "kept").string();
    o.steps = steps;
    return run(o).weights_sha256;
  };
  const auto whole = test::temporary_folder{};
  const auto wanted = kept(whole, 12);
  const auto parts = test::temporary_folder{};
  kept(parts, 8);
  o.resume = true;
  CHECK(kept(parts, 12) == wanted);
}

TEST_CASE("agents that gossip and are interrupted leave the mean of their replicas, and others go on from it") {
  const auto folder = test::temporary_folder{};
  auto o = gossip(4);
  o.steps = 400;
  o.checkpoint = (folder.path() / "kept").string();
  auto stop = std::stop_source{};
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) {
    if (at.step == 7)
      stop.request_stop();
  };
  const auto first = run(o, observer, stop.get_token());
  CHECK(first.reason == stop_reason::interrupted);
  CHECK(first.steps < 400);
  o.resume = true;
  o.sync = "ps";
  o.steps = first.steps + 5;
  const auto rest = run(o);
  CHECK(rest.samples == 5ul * 24);
  CHECK(rest.train_loss.back().second < first.train_loss.front().second);
}

TEST_CASE(
  "two that gossip have in each step the mean of both, batch statistics too: what parameter shards have (I10)") {
  const auto folder = test::temporary_folder{};
  auto o = job_of(2);
  o.model = "resnet20";
  o.steps = 4;
  const auto ended = [&](const char* sync) {
    o.sync = sync;
    o.export_to = (folder.path() / sync).string();
    run(o);
    const auto data = learn::open_data(o.data, o.seed).value();
    const auto model =
      learn::make_model({o.model, data.train->shape(), data.train->classes(), learn::precision::f32}).value();
    return learn::read_safetensors(o.export_to, model->layout()).value();
  };
  const auto shards = ended("ps");
  const auto together = ended("gossip");
  double apart = 0;
  double all = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    apart += std::pow(double{shards.values()[i]} - together.values()[i], 2);
    all += std::pow(double{shards.values()[i]}, 2);
  }
  CHECK(std::sqrt(apart / all) < 1e-4);
}

TEST_CASE("who joins agents that gossip takes another one's replica, and the run goes on with it") {
  auto o = gossip(4);
  o.least_agents = 1;
  o.steps = 30;
  const auto r = run(o);
  CHECK(r.steps == 30);
  CHECK(r.samples == 30ul * 24);
  CHECK(r.train_loss.back().second < r.train_loss.front().second);
}

TEST_CASE("no gradient is older than the staleness bound, every step takes effect once, and k = 0 keeps in step") {
  auto o = job_of(3);
  const auto in_step = run(o);
  CHECK(in_step.staleness == std::map<uint64_t, uint64_t>{{0, 12 * 6}});
  for (uint64_t k : {1, 3}) {
    o.staleness = k;
    const auto r = run(o);
    CHECK(r.steps == 12);
    CHECK(r.samples == 12ul * 24);
    CHECK(r.staleness.rbegin()->first <= k);
  }
}

TEST_CASE("asynchronous steps take effect once each, whoever dies, and a run of them is stopped and resumed") {
  const auto folder = test::temporary_folder{};
  auto o = job_of(3);
  o.asynchronous = true;
  o.optimizer.kind = learn::optimizer_kind::sgd;
  o.faults.push_back(parse_fault("agent/1@step=2:kill").value());
  o.faults.push_back(parse_fault("shard_holder/0@step=4:exception").value());
  o.checkpoint = (folder.path() / "kept").string();
  o.steps = 7;
  const auto first = run(o);
  CHECK(first.steps == 7);
  CHECK(first.samples == 7ul * 24);
  o.faults.clear();
  o.steps = 12;
  o.resume = true;
  const auto rest = run(o);
  CHECK(rest.steps == 12);
  CHECK(rest.samples == 5ul * 24);
}

TEST_CASE("local steps end with the same bits for any number of agents, whoever fails (I10)") {
  auto alone = job_of(1);
  alone.local_steps = 3;
  alone.optimizer.kind = learn::optimizer_kind::adamw;
  alone.optimizer.learning_rate = 0.001f;
  alone.outer_rate = 0.7f;
  alone.outer_momentum = 0.9f;
  const auto wanted = run(alone);
  CHECK(wanted.samples == 12 * 3 * 24);
  for (int agents : {2, 3}) {
    auto o = alone;
    o.agents = agents;
    CHECK(run(o).weights_sha256 == wanted.weights_sha256);
    for (auto* what : {"agent/1@step=3:kill", "shard_holder/0@step=5:exception", "data_broker/0@step=6:exception"})
      o.faults.push_back(parse_fault(what).value());
    CHECK(run(o).weights_sha256 == wanted.weights_sha256);
  }
}

TEST_CASE("local steps of plain SGD whose average is taken are SGD, where a round has one step of one worker") {
  auto o = job_of(1);
  o.optimizer = {.kind = learn::optimizer_kind::sgd, .learning_rate = 0.02f};
  o.schedule.kind = learn::schedule_kind::constant;
  o.micro_batch = 24;
  o.steps = 8;
  const auto plain = run(o);
  o.local_steps = 2; // 4 rounds of 2 steps
  o.steps = 4;
  const auto local = run(o);
  CHECK(local.samples == plain.samples);
  REQUIRE(plain.train_loss.size() == 8);
  REQUIRE(local.train_loss.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    const auto mean = (plain.train_loss[2 * i].second + plain.train_loss[2 * i + 1].second) / 2;
    CHECK(std::abs(local.train_loss[i].second - mean) < 1e-5 * mean);
  }
}

TEST_CASE("local steps send 2n/H floats for each agent and step") {
  auto o = job_of(2);
  o.micro_batch = 12; // one worker each
  o.steps = 40;       // beside which what is sent at the start hardly counts
  const auto every = run(o);
  o.local_steps = 4;
  o.steps = 10; // as many steps in all
  const auto local = run(o);
  CHECK(local.samples == every.samples);
  CHECK(static_cast<double>(local.sent_bytes) < 0.3 * static_cast<double>(every.sent_bytes));
}

TEST_CASE("compressed gradients train as the others do, and take the bytes they should") {
  auto o = job_of(2);
  o.micro_batch = 12;
  o.steps = 40;
  const auto plain = run(o);
  const auto last = [](const job_report& r) {
    double sum = 0;
    for (size_t i = r.train_loss.size() - 10; i < r.train_loss.size(); ++i)
      sum += r.train_loss[i].second / 10;
    return sum;
  };
  for (const auto* how : {"bf16", "f16", "int8", "topk:0.1"}) {
    o.compression = learn::parse_compression(how).value();
    const auto small = run(o);
    INFO(how << ": loss " << last(small) << ", uncompressed " << last(plain));
    CHECK(last(small) < last(plain) * 1.15);
    const auto parameters = static_cast<double>(plain.sent_bytes) / 2;
    const auto part = static_cast<double>(learn::compressed_bytes(o.compression, 100000)) / 400000;
    CHECK(std::abs(static_cast<double>(small.sent_bytes) - parameters * (1 + part)) < 0.05 * parameters);
    CHECK(run(o).weights_sha256 == small.weights_sha256);
  }
}

TEST_CASE("agents that are killed cost compressed training what their gradients lacked, and no sample (I1)") {
  auto o = job_of(3);
  o.compression = learn::parse_compression("int8").value();
  for (auto* what : {"agent/1@step=3:kill", "shard_holder/0@step=5:exception", "agent/0@step=7:exception"})
    o.faults.push_back(parse_fault(what).value());
  const auto r = run(o);
  CHECK(r.steps == 12);
  CHECK(r.samples == 12 * 24);
  CHECK(r.restarts == 3);
}

TEST_CASE("what local steps and compression cannot be combined with is refused with one sentence") {
  const auto refusal = [](auto change) {
    auto o = job_of(2);
    change(o);
    const auto r = run_job(o, {}, {});
    REQUIRE_FALSE(r);
    return r.error().sentence;
  };
  CHECK(refusal([](auto& o) { o.local_steps = 2, o.optimizer.clip_norm = 1; }).find("--clip-norm") !=
        std::string::npos);
  CHECK(refusal([](auto& o) { o.outer_rate = 0.5f; }).find("--local-steps") != std::string::npos);
  CHECK(refusal([](auto& o) {
          o.sync = "ring";
          o.compression.kind = learn::compression_kind::int8;
        }).find("--compress") != std::string::npos);
  CHECK(refusal([](auto& o) {
          o.reproducible = true;
          o.compression.kind = learn::compression_kind::bf16;
        }).find("--reproducible") != std::string::npos);
}

TEST_CASE("robust rules stand contributions that are wrong, and the mean does not") {
  auto o = job_of(3);
  o.steps = 30;
  o.schedule.kind = learn::schedule_kind::constant;
  const auto healthy = run(o).train_loss.back().second;
  const auto poisoned = [&](const char* rule) {
    auto p = o;
    p.combine = learn::parse_combine(rule).value();
    p.on_nonfinite = nonfinite::skip;
    for (auto* what : {"agent/1@step=3:poison", "agent/2@step=8:poison", "agent/0@step=20:poison"})
      p.faults.push_back(parse_fault(what).value());
    return run(p).train_loss.back().second;
  };
  for (const auto* rule : {"median", "trimmed:0.2", "krum:1"}) {
    INFO(rule);
    CHECK(poisoned(rule) < healthy * 1.3);
  }
  const auto mean = poisoned("mean");
  CHECK((mean > healthy * 2 || std::isnan(mean)));
}

TEST_CASE("robust rules end with the same bits for any number of agents, whoever fails (I10)") {
  for (const auto* rule : {"median", "trimmed:0.2", "krum:1"}) {
    auto o = job_of(1);
    o.combine = learn::parse_combine(rule).value();
    const auto alone = run(o).weights_sha256;
    o.agents = 3;
    o.faults = {parse_fault("agent/1@step=3:kill").value(), parse_fault("shard_holder/0@step=5:exception").value(),
                parse_fault("agent/2@step=7:leave").value()};
    INFO(rule);
    CHECK(run(o).weights_sha256 == alone);
  }
}

TEST_CASE("a robust rule with fewer micro-batches than it needs is refused with one sentence") {
  auto o = job_of(2);
  o.combine = learn::parse_combine("krum:3").value();
  const auto r = run_job(o, {}, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence == "--combine krum:3 needs at least 9 micro-batches per step, and there are 6: choose a "
                              "smaller --micro-batch than 4");
}
