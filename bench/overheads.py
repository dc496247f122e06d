#!/usr/bin/python3
"""What the framework itself costs: a step with an empty model, a whole command of one step; beside the latter, in the same run, the
time until both ranks of torchrun have made their first step.

    bench/overheads.py [--repetitions 5]
"""
import argparse
import json
import time

import side_by_side as bench


def step_cost(agents, isolation):
    steps = 3000
    report = bench.train("--model", "none", "--steps", steps, "--epochs", 1000, "--agents", agents, "--batch", 8, "--micro-batch", 2,
                         "--threads", 1, "--no-evaluate", "--isolation", isolation)
    return 1e6 * 8 / report["samples_per_second"]


def wall(command):
    """Milliseconds of the whole command: set-up, one step, shutdown."""
    begin = time.perf_counter()
    bench.run(command)
    return 1e3 * (time.perf_counter() - begin)


def one_step(*options):
    return wall([bench.troupe(), "train", "--quiet", "--steps", "1", "--no-evaluate", *options])


def torchrun_to_first_step(peers):
    printed = bench.run([str(peers / "tuned"), bench.python, "startup.py", "torchrun"])
    return 1e3 * json.loads([line for line in printed.splitlines() if line.startswith("{")][-1])["total_to_first_step_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    bench.warn_if_busy()
    kept = {}

    rows = []
    for isolation, agents in (("thread", 1), ("thread", 2), ("thread", 4), ("process", 1), ("process", 2)):
        cost = bench.interleave(options.repetitions, step=lambda: step_cost(agents, isolation))["step"]
        rows.append([isolation, agents, cost, cost / agents])
        kept[f"step, {agents} agents, {isolation}"] = cost
    bench.table(["isolation", "agents", "µs per step", "µs per step and agent"], rows)

    peers = bench.peers()
    start = bench.interleave(options.repetitions, threads=lambda: one_step(),
                             processes=lambda: one_step("--agents", "2", "--isolation", "process"),
                             torchrun=lambda: torchrun_to_first_step(peers))
    kept["whole command of one step"] = start
    print()
    bench.table(["whole `troupe train --steps 1`", "ms"], [["one process", start["threads"]], ["2 worker processes", start["processes"]],
                                                           ["torchrun, 2 processes, to their first step", start["torchrun"]]])
    bench.keep("overheads", kept)


if __name__ == "__main__":
    main()
