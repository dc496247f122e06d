// Whole runs in this process: the equalities that make a result worth trusting.

#include <cmath>

#include "tests/topology/small_job.hpp"

using namespace troupe;
using namespace troupe::test;

TEST_CASE("any number of agents and shards trains the same weights, bit by bit (R6, I10)") {
  auto o = small_job();
  auto one = run(o);
  CHECK(one.steps == 8);
  CHECK(one.samples == 8 * 24);
  CHECK(one.restarts == 0);
  for (int agents : {2, 3, 4, 6}) {
    o.agents = agents;
    o.shards = 0;
    auto many = run(o);
    CHECK(many.weights_sha256 == one.weights_sha256);
    CHECK(many.train_loss == one.train_loss);
  }
  o.agents = 2;
  o.shards = 1;
  CHECK(run(o).weights_sha256 == one.weights_sha256);
}

TEST_CASE("micro-batches change how a step is cut, not what it computes") {
  auto o = small_job();
  auto cut = run(o);
  o.micro_batch = 24;
  auto whole = run(o);
  REQUIRE(whole.train_loss.size() == cut.train_loss.size());
  for (size_t i = 0; i < cut.train_loss.size(); ++i)
    CHECK(std::abs(cut.train_loss[i].second - whole.train_loss[i].second) <
          1e-4 * std::abs(whole.train_loss[i].second));
}

TEST_CASE("the same seed trains the same weights and another seed does not") {
  auto o = small_job();
  auto first = run(o).weights_sha256;
  CHECK(run(o).weights_sha256 == first);
  o.seed = 2;
  CHECK(run(o).weights_sha256 != first);
}

TEST_CASE("a reproducible run has the same weights for any number of agents, whatever else is left open (I10)") {
  auto o = small_job();
  o.micro_batch = 0;
  o.threads = 0;
  o.reproducible = true;
  auto one = run(o);
  for (int agents : {2, 3, 4, 8}) {
    o.agents = agents;
    o.shards = 0;
    CHECK(run(o).weights_sha256 == one.weights_sha256);
  }
  o.agents = 9; // the batch is cut into 8
  CHECK(validate(o).error().sentence ==
        "9 agents but only 8 micro-batches per step: use at most 8 agents or a smaller --micro-batch than 3");
  o.agents = 3;
  o.least_agents = 4;
  CHECK(validate(o).error().sentence == "a run of at most 3 agents cannot wait for 4");
}

TEST_CASE("accuracy is measured once per epoch on the whole test set, alike for any number of agents") {
  auto o = small_job();
  o.batch = 400;
  o.micro_batch = 100;
  o.steps = 0;
  o.epochs = 1;
  o.evaluate = true;
  o.optimizer.kind = learn::optimizer_kind::adam;
  o.optimizer.learning_rate = 0.002f;
  auto one = run(o);
  CHECK(one.test_accuracy.size() == 1);
  CHECK(one.test_accuracy.back() > 0.5);
  o.agents = 3;
  CHECK(run(o).test_accuracy == one.test_accuracy);
  o.target_accuracy = 0.1;
  o.epochs = 5;
  auto early = run(o);
  CHECK(early.reason == stop_reason::target_reached);
  CHECK(early.test_accuracy.size() == 1);
}

TEST_CASE("a tree of one's own that lacks what the run needs is refused, by name") {
  auto rt = runtime{};
  auto o = small_job();
  o.sync = "ring";
  o.agents = 2;
  auto parts = data_parallel::prepare(rt, o);
  REQUIRE(parts);
  auto& p = **parts;
  auto of = [&](bool peers) {
    auto tree = supervise("training", one_for_one, at_most(3, std::chrono::minutes{1})).child(p.locks).child(p.broker);
    if (peers)
      tree.child(supervise("peers").child(p.peers, transient));
    return tree.child(supervise("agents").child(p.agents, transient)).child(p.leader, transient, significant);
  };
  auto r = p.run(of(false));
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence ==
        "the tree lacks ring_peer/0, without which this run would not get on: put the parts' `peers` into it, where "
        "`data_parallel::tree` has them");
  CHECK(p.run(of(true)));
}

TEST_CASE("messages alone: a model that computes nothing steps through its run") {
  auto o = small_job();
  o.model = "none";
  o.agents = 4;
  o.steps = 200;
  auto r = run(o);
  CHECK(r.steps == 200);
  CHECK(r.samples == 200 * 24);
}

TEST_CASE("a gradient that is not finite ends the run with a sentence and is not applied (I11)") {
  auto o = small_job();
  o.optimizer.learning_rate = 1e30f;
  auto r = run_job(o, {}, {});
  REQUIRE_FALSE(r);
  CHECK(r.error().sentence.find("not finite") != std::string::npos);
}
