#!/usr/bin/python3
"""What faults of hosts, and of the network between them, cost a run: medians by phase, and whether the result is that of a run without.

    bench/hosts.py [--faults 5] [--cuts 30] [KIND ...]

Three hosts of network namespaces, one agent each; the second is struck, in one run again and again where it comes back. Needs root
(bench/hosts.cpp says what the kinds are). `detected`: until the fault is noticed; `view`: until the others go on without the agent;
`next step`: until they have taken one; `back`: until the agent takes part again, since the fault and since it was over.
"""
import argparse
import json
import pathlib
import statistics

import side_by_side as bench

KINDS = ["kill", "lost-5s", "freeze-5s", "freeze-30s", "cut-2s", "cut-5s", "cut-8s", "to-cut-2s", "from-cut-2s", "slow"]
PHASES = ["detected_ms", "view_ms", "next_step_ms", "back_after_fault_ms", "back_after_heal_ms"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--faults", type=int, default=5, help="of each kind [5]")
    options.add_argument("--cuts", type=int, default=30, help="of kind cut-2s [30]")
    options.add_argument("kinds", nargs="*", metavar="KIND", help=f"[{' '.join(KINDS)}]")
    chosen = options.parse_args()
    program = str(pathlib.Path(bench.troupe()).parent / "bench_hosts")
    if not pathlib.Path(program).exists():
        bench.refuse(f"there is no {program}: build it with `make bench`")
    bench.warn_if_busy()
    figures, rows = {}, []
    for kind in chosen.kinds or KINDS:
        count = 100 if kind == "slow" else chosen.cuts if kind == "cut-2s" else chosen.faults
        each = [json.loads(line) for line in bench.run([program, kind, str(count), bench.troupe()]).splitlines()]
        figures[kind] = each
        cells = [statistics.median(x[phase] for x in each) if phase in each[0] else "" for phase in PHASES]
        equal = all(x["equal"] for x in each)
        rows.append([kind, count, *cells, each[0].get("step_ms", ""), max(x["restarts"] for x in each), "yes" if equal else "NO"])
    bench.table(["fault", "times", *(phase.replace("_", " ") for phase in PHASES), "step ms", "restarts of a run", "equal"], rows)
    bench.keep("hosts", figures)


main()
