#!/usr/bin/python3
"""What it costs a run that its leader is killed: until its standby's next step, and whether the result is that of a run without.

    bench/standby.py [--kills 5] [--steps 3000] [--sync ps]

Two nodes, a leader and a standby over loopback, two agents; the leader is ended by SIGKILL after a tenth of the steps. `pause`: from the kill to the
standby's first step; `done again`: steps that the leader had committed after the last state that it had sent. Then `troupe audit`.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import side_by_side as bench

JOB = ["--model", "lenet", "--batch", "32", "--micro-batch", "8", "--threads", "1", "--epochs", "100000", "--no-evaluate"]


def started(folder, *words):
    """A process that says where it listens; the process and the address."""
    process = subprocess.Popen([bench.troupe(), *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline().split()[-1]


def steps_in(path):
    if not path.exists():
        return []
    events = [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(e["step"], e["time"]) for e in events if e["event"] == "step"]


def struck(sync, steps):
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        nodes = [started(folder, "node") for _ in range(2)]
        standby, address = started(folder, "standby", "--events", "standby.jsonl", "--report", "report.json", "--ledger", "ledger")
        leader = subprocess.Popen([bench.troupe(), "train", "--quiet", *JOB, "--agents", "2", "--sync", sync, "--reproducible", "--steps", str(steps),
                                   "--nodes", ",".join(a for _, a in nodes), "--standby", address, "--events", "leader.jsonl", "--ledger", "ledger"],
                                  cwd=folder, stderr=subprocess.DEVNULL)
        while (seen := steps_in(at / "leader.jsonl")) == [] or seen[-1][0] < steps // 10:
            if leader.poll() is not None:
                bench.refuse("the leader ended before it could be killed: take more --steps")
            time.sleep(0.01)
        killed = time.time()
        leader.kill()
        leader.wait()
        standby.communicate(timeout=300)
        for node, _ in nodes:
            node.terminate()
            node.wait()
        if standby.returncode != 0:
            bench.refuse(f"the standby ended with exit code {standby.returncode}")
        last, first = steps_in(at / "leader.jsonl")[-1][0], steps_in(at / "standby.jsonl")[0]
        audit = subprocess.run([bench.troupe(), "audit", "ledger"], cwd=folder, capture_output=True, text=True).stdout
        counted = re.search(r"missing (\d+), doubled (\d+)", audit)
        weights = json.loads((at / "report.json").read_text())["weights_sha256"]
        return 1000 * (first[1] - killed), last - first[0] + 1, int(counted[1]), int(counted[2]), weights


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--sync", default="ps", choices=["ps", "tree", "sharded", "ring"])
    options = parser.parse_args()
    bench.warn_if_busy()
    undisturbed = bench.train(*JOB, "--agents", 2, "--sync", options.sync, "--reproducible", "--steps", options.steps)["weights_sha256"]
    runs = [struck(options.sync, options.steps) for _ in range(options.kills)]
    pauses = [r[0] for r in runs]
    bench.table(["kills", "pause ms, median", "longest", "done again, most", "missing", "doubled", "equal"],
                [[options.kills, statistics.median(pauses), max(pauses), max(r[1] for r in runs), sum(r[2] for r in runs), sum(r[3] for r in runs),
                  "yes" if all(r[4] == undisturbed for r in runs) else "NO"]])
    bench.keep("standby", runs)


main()
