#!/usr/bin/python3
"""The ways to synchronise, each with lenet on MNIST: accuracy, speed, bytes, staleness.

    bench/synchronisation.py [--epochs 5] [--repetitions 3]

Bytes are those of gradients and parameters that an agent and a step cost, in multiples of the parameters' size n, beside the formula:
ps 2n (here w divides the micro-batches, so that no lease needs more than one node of the sum's tree), tree 2n and n for each aggregator
and step, ring n log2 w for a model below 4 MiB, as this one, gossip n, async n(w+1)/w: a step is one agent's gradient, and every agent is sent what
comes of it. Sharded: 2n(w-1)/w; such a model is one block of parameters, which one agent holds. Local steps: 2n/H, where a round counts as H
steps. Compressed: parameters n, and gradients what they take. Robust rules: parameters n, and a gradient for each of an agent's
micro-batches. What the shard holders receive for a step stands beside: gradients of all agents, or of all aggregators.
"""
import argparse

import side_by_side as bench

# Momentum and staleness add up, so who runs ahead does without, and warms up; an asynchronous step is one agent's, so its batch is smaller.
H = 8  # steps between two averages
AHEAD = ["--batch", 32, "--optimizer", "adam", "--schedule", "warmup:100,cosine"]
MODES = {
    "ps": ["--batch", 64],
    "ps, staleness 1": [*AHEAD, "--lr", 0.001, "--staleness", 1],
    "ps, staleness 4": [*AHEAD, "--lr", 0.001, "--staleness", 4],
    "ps, async": ["--batch", 16, "--micro-batch", 4, "--optimizer", "adam", "--schedule", "warmup:100,cosine", "--lr", 0.0005, "--staleness", "async"],
    "tree, fan-in 2": ["--batch", 64, "--sync", "tree", "--fan-in", 2],
    "ring": ["--batch", 64, "--sync", "ring"],
    "gossip": ["--batch", 64, "--sync", "gossip"],
    "sharded": ["--batch", 64, "--sync", "sharded"],
    "ps, local SGD, H = 8": ["--batch", 32, "--local-steps", H],
    "ps, DiLoCo, H = 8": ["--batch", 32, "--local-steps", H, "--optimizer", "adamw", "--lr", 0.001, "--outer-lr", 0.7, "--outer-momentum", 0.9],
    "ps, bf16": ["--batch", 64, "--compress", "bf16"],
    "ps, int8": ["--batch", 64, "--compress", "int8"],
    "ps, topk:0.05": ["--batch", 64, "--compress", "topk:0.05"],
    "ps, median": ["--batch", 64, "--micro-batch", 16, "--combine", "median"],
    "ps, trimmed:0.2": ["--batch", 64, "--micro-batch", 8, "--combine", "trimmed:0.2"],
}


def train(agents, options, mode):
    return bench.train("--model", "lenet", "--data", bench.data("mnist"), "--agents", agents, "--epochs", options.epochs,
                       "--micro-batch", 8, "--threads", 1, *MODES[mode])


def aggregators(agents):
    return (agents + 1) // 2


def received_of(mode, agents):
    if mode in ("ring", "gossip"):
        return 0
    if mode == "tree, fan-in 2":
        return aggregators(agents)
    if mode == "sharded":
        return agents
    if "async" in mode:
        return 1
    return agents / H if "H = " in mode else agents * (formula_of(mode, agents) - 1)


def doubling(agents):
    """What ring peers send together of a model as small as lenet."""
    power = 1 << (agents.bit_length() - 1)
    return 2 * (agents - power) + power * (power.bit_length() - 1)


def formula_of(mode, agents):
    if mode == "ring":
        return doubling(agents) / agents
    if mode == "gossip":
        return 1
    if mode == "sharded":
        return 2 * (agents - 1) / agents
    if mode == "tree, fan-in 2":
        return 2 + aggregators(agents) / agents
    if "async" in mode:
        return (agents + 1) / agents
    if "H = " in mode:
        return 2 / H
    if "median" in mode:
        return 1 + 64 / 16 / agents
    if "trimmed" in mode:
        return 1 + 64 / 8 / agents
    return 1 + {"ps, bf16": 1 / 2, "ps, int8": (1 + 1 / 64) / 4, "ps, topk:0.05": 2 * 0.05}.get(mode, 1)


def mean_staleness(report):
    counts = {int(k): n for k, n in report["staleness"].items()}
    return sum(k * n for k, n in counts.items()) / sum(counts.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    bench.warn_if_busy()
    kept = {}
    rows = []
    for agents in (2, 4):
        for mode in MODES:
            runs = sorted((train(agents, options, mode) for _ in range(options.repetitions)), key=lambda r: r["samples_per_second"])
            r = runs[len(runs) // 2]
            steps = r["steps"] * (H if "H = " in mode else 1)
            sent = r["sent_bytes"] / (4 * r["parameters"] * steps * agents)
            received = r["received_bytes"] / (4 * r["parameters"] * steps)
            rows.append([agents, mode, f"{100 * r['test_accuracy'][-1]:.2f}", steps, f"{sent:.3f}", f"{formula_of(mode, agents):.3f}",
                         f"{received:.3f}", f"{received_of(mode, agents):.3f}",
                         f"{mean_staleness(r):.2f}", max(map(int, r["staleness"])), round(r["samples_per_second"])])
            kept[f"{mode}, {agents} agents"] = rows[-1]
    bench.table(["agents", "mode", "accuracy %", "steps", "n per agent and step", "formula", "n received per step", "formula", "mean staleness", "highest", "samples/s"], rows)
    bench.keep("synchronisation", kept)


if __name__ == "__main__":
    main()
