// Data-parallel training with parameter shards, composed by hand: four agents share each batch, two shard holders own
// the parameters and update them. The tree says who is started in which order and what happens when one dies.
//
// Run: build/release/bin/data_parallel [FOLDER_WITH_MNIST]

#include <cstdio>

#include "actors/data_parallel.hpp"

using namespace troupe;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  auto rt = runtime{};
  auto options = job_options{.model = "mlp",
                             .data = argc > 1 ? argv[1] : "digits",
                             .agents = 4,
                             .shards = 2,
                             .batch = 128,
                             .epochs = 1,
                             .optimizer = {.kind = learn::optimizer_kind::momentum, .learning_rate = 0.05f}};
  auto observer = job_observer{};
  observer.on_epoch = [](const epoch_progress& e) {
    std::printf("epoch %lu: %.2f %% of the test set\n", e.epoch, 100 * e.test_accuracy);
  };
  auto parts = data_parallel::prepare(rt, options, observer);
  if (!parts)
    return std::puts(parts.error().sentence.c_str()), 2;
  auto& p = **parts;
  // [tree]
  auto tree = supervise("training", one_for_one, at_most(3, 1min))
                .child(p.locks)
                .child(p.broker)
                .child(supervise("shards", one_for_all).child(p.shards))
                .child(supervise_agents("agents").child(p.agents, transient))
                .child(p.leader, transient, significant);
  // [/tree]
  std::printf("%s\n", print_tree(tree).c_str());
  auto report = p.run(tree);
  if (!report)
    return std::puts(report.error().sentence.c_str()), 1;
  std::printf("%lu steps, %.0f samples/s, weights %.16s\n", report->steps, report->samples_per_second,
              report->weights_sha256.c_str());
}

// training              one_for_one, at most 3 restarts in 1 min
// ├─ lock_service/0     permanent
// ├─ data_broker/0      permanent
// ├─ shards             one_for_all, at most 1 restart in 5 s
// │  ├─ shard_holder/0  permanent
// │  └─ shard_holder/1  permanent
// ├─ agents             one_for_one, at most 16 restarts of each in 1 min, back-off 1 ms to 3 s
// │  ├─ agent/0         transient
// │  ├─ agent/1         transient
// │  ├─ agent/2         transient
// │  └─ agent/3         transient
// └─ coordinator/0      transient, significant
//
// epoch 1: 97.40 % of the test set
// 157 steps, 2042 samples/s, weights 118f8fb2c99b7082
