#!/usr/bin/python3
"""Kills agents while they train, in every way to synchronise, and has `troupe audit` look for samples that are missing or doubled.

    bench/exactly_once.py [--kills 20] [--isolation thread|process]

With `thread` an agent is killed, with `process` its worker process, by SIGKILL.
"""
import argparse
import re
import subprocess
import sys
import tempfile

import side_by_side as bench

MODES = ["--sync ps", "--sync ps --staleness 2", "--sync tree --fan-in 2", "--sync sharded", "--sync ring", "--sync ring --reproducible",
         "--sync gossip", "--local-steps 4", "--sync ring --local-steps 4", "--exchange static", "--exchange rotate", "--compress int8",
         "--combine median --micro-batch 12", "--sync tree --fan-in 2 --combine median/2 --micro-batch 8"]


def audited(mode, kills, isolation):
    kind = "kill-process" if isolation == "process" else "kill"
    faults = [word for i in range(1, kills + 1) for word in ("--fault", f"agent/{i % 3}@step={7 * i}:{kind}")]
    with tempfile.TemporaryDirectory() as folder:
        report = bench.train("--model", "lenet", "--agents", 3, "--batch", 96, "--steps", 8 * kills, "--no-evaluate", "--isolation", isolation,
                             "--checkpoint", folder, "--checkpoint-every", 50, *mode.split(), *faults)
        printed = subprocess.run([bench.troupe(), "audit", folder], capture_output=True, text=True).stdout
    found = re.search(r"missing (\d+), doubled (\d+)", printed)
    if found is None:
        bench.refuse(f"`troupe audit` said nothing of {mode}: {printed.strip() or 'not a word'}")
    back = re.search(r"went back (\d+) times", printed)
    return report["steps"], report["restarts"], int(found[1]), int(found[2]), int(back[1]) if back else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--isolation", choices=["thread", "process"], default="thread")
    options = parser.parse_args()
    kept = {}
    shown = bench.growing_table("mode", "steps", "restarts", "missing", "doubled", "went back", widest=[max(map(len, MODES))])
    for mode in MODES:
        kept[mode] = audited(mode, options.kills, options.isolation)
        shown.row(mode, *kept[mode])
    bench.keep("exactly_once", kept)
    sys.exit(any(missing or doubled for _, _, missing, doubled, _ in kept.values()))


main()
