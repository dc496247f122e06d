#!/usr/bin/python3
"""Recovery times by phase: restarts in place, worker processes after SIGKILL, and torchrun with 2 gloo workers in the same run.

Usage: bench/recovery.py [FAULTS] [TRIES OF TORCHRUN]
"""
import json
import pathlib
import subprocess
import sys

import side_by_side as bench


def series(kind, faults):
    program = str(pathlib.Path(bench.troupe()).parent / "bench_recovery")
    if not pathlib.Path(program).exists():
        bench.refuse(f"there is no {program}: build it with `make bench`")
    return [json.loads(line) for line in bench.run([program, kind, str(faults), bench.troupe()]).splitlines()]


def torchrun(monitor_interval):
    done = subprocess.run([bench.python, "recovery.py", str(monitor_interval), "1"], cwd=bench.peers(), capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None


def at(values, part):
    ordered = sorted(values)
    return float(ordered[min(len(ordered) - 1, int(part * len(ordered)))])


def histogram(values):
    """Counts by powers of two of a millisecond."""
    bins = {}
    for x in values:
        edge = 0.125
        while edge < x:
            edge *= 2
        bins[edge] = bins.get(edge, 0) + 1
    return ", ".join(f"≤ {edge:g} ms: {bins[edge]}" for edge in sorted(bins))


def main():
    faults = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    tries = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    bench.warn_if_busy()
    figures, rows = {}, []
    for kind in ("in-place", "process", "others"):
        figures[kind] = series(kind, faults)
        for phase in figures[kind][0]:
            if phase == "kind":
                continue
            values = [each[phase] for each in figures[kind]]
            rows.append([kind, phase, len(values), at(values, 0.5), at(values, 0.99), max(values)])
        last = list(figures[kind][0])[-1]
        print(f"{kind}, {last}: {histogram([each[last] for each in figures[kind]])}", flush=True)
    head = ["what", "phase", "faults", "p50", "p99", "longest"]
    bench.table(head, rows)
    for interval in (0.1, 5):
        runs = [x for x in (torchrun(interval) for _ in range(tries)) if x]
        figures[f"torchrun {interval}"] = runs
        phases = ("detect_and_respawn_s", "import_s", "rendezvous_pg_s", "to_first_step_s", "total_s")
        peer = []
        for phase in phases if runs else ():
            values = [1000 * each[phase] for each in runs]
            peer.append([f"torchrun, monitor_interval {interval} s", phase[:-2] + "_ms", len(values), at(values, 0.5), at(values, 0.99), max(values)])
        bench.table(head, peer)
    bench.keep("recovery", figures)


main()
