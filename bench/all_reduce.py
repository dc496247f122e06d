#!/usr/bin/python3
"""All-reduce between 2 and 4 processes of this host, 4 KB to 100 MB, beside Open MPI (shared memory and TCP) and gloo (the best of its
algorithms) in the same run; and between threads of one process beside what its memory allows. Medians over rounds in turn.

    bench/all_reduce.py [--rounds 3] [--peers 2,4]
    bench/all_reduce.py --schedules [--rounds 3] [--peers 2,4]    Troupe's schedules beside each other, no peers: for the thresholds
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile

import side_by_side as bench

sizes = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 100 << 20]
schedule_sizes = [4 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 100 << 20]
schedule_names = ["ring", "doubling", "halving", "pairwise"]
gloo_algorithms = ["ring_chunked", "halving_doubling", "new_ring"]
mpi_tcp = ["--mca", "pml", "ob1", "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo"]


def built(folder):
    """The peers' programs, compiled where this machine has what they need."""
    peers = bench.peers_folder()
    if not shutil.which("mpicc") or not pathlib.Path("/usr/include/gloo").is_dir():
        bench.refuse("install openmpi-bin, libopenmpi-dev and libgloo-dev, which this compares with")
    bench.run(["mpicc", "-O3", "-march=native", str(peers / "allreduce_mpi.c"), "-o", f"{folder}/mpi"])
    bench.run(["g++", "-O3", "-march=native", "-std=c++14", str(peers / "allreduce_gloo.cpp"), "-o", f"{folder}/gloo", "-lgloo",
               "-pthread"])


def medians(printed):
    """Microseconds by bytes."""
    times = {}
    for line in printed.splitlines():
        if line.startswith("{"):
            x = json.loads(line)
            times.setdefault(x["bytes"], []).append(x["us"])
    return {size: statistics.median(t) for size, t in times.items()}


def troupe(how, peers, *schedule, of=sizes):
    program = str(pathlib.Path(bench.troupe()).parent / "bench_all_reduce")
    if not pathlib.Path(program).exists():
        bench.refuse(f"there is no {program}: build it with `make bench`")
    return medians("".join(bench.run([program, how, str(peers), str(size), *schedule]) for size in of))


def open_mpi(folder, peers, *options):
    return medians(bench.run(["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", str(peers), *options, f"{folder}/mpi", "mpi"]))


def gloo(folder, peers, algorithm):
    with tempfile.TemporaryDirectory() as meeting:
        ranks = [subprocess.Popen([f"{folder}/gloo", str(rank), str(peers), meeting, algorithm], stdout=subprocess.PIPE, text=True)
                 for rank in range(peers)]
        printed = [rank.communicate()[0] for rank in ranks][0]
        if any(rank.returncode for rank in ranks):
            bench.refuse(f"gloo with {algorithm} failed")
        return medians(printed)


def name_of(size):
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"


def in_turn(ways, rounds):
    """Microseconds by way and bytes: medians over the rounds."""
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            times[name].append(measure())
    return {name: {size: statistics.median(t[size] for t in all_times) for size in all_times[0]} for name, all_times in times.items()}


def schedules(peers, rounds):
    """Rows of all schedules, and what was measured."""
    us = in_turn({s: lambda s=s: troupe("processes", peers, s, of=schedule_sizes) for s in schedule_names}, rounds)
    rows = [[peers, name_of(size), *(us[s][size] for s in schedule_names),
             *(f"{us['ring'][size] / us[s][size]:.2f}×" for s in schedule_names[1:])] for size in schedule_sizes]
    return rows, us


def beside_peers(folder, peers, rounds):
    ways = {"troupe": lambda: troupe("processes", peers), "Open MPI": lambda: open_mpi(folder, peers),
            "Open MPI, TCP": lambda: open_mpi(folder, peers, *mpi_tcp),
            **{f"gloo {a}": lambda a=a: gloo(folder, peers, a) for a in gloo_algorithms},
            "threads": lambda: troupe("threads", peers), "limit": lambda: troupe("limit", peers)}
    us = in_turn(ways, rounds)
    algorithms = [us.pop(f"gloo {a}") for a in gloo_algorithms]
    us["gloo"] = {size: min(a[size] for a in algorithms) for size in algorithms[0]}
    rows = []
    for size in sizes:
        def speed(name):
            return size / us[name][size] / 1e3 if size in us[name] else "–"

        def ratio(name):
            return f"{us[name][size] / us['troupe'][size]:.2f}×" if size in us[name] else "–"
        rows.append([peers, name_of(size), us["troupe"][size], *(speed(n) for n in ("troupe", "Open MPI", "Open MPI, TCP", "gloo")),
                     ratio("gloo"), ratio("Open MPI"), speed("threads"), f"{us['limit'][size] / us['threads'][size]:.0%}"])
    return rows, us


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="2,4")
    parser.add_argument("--schedules", action="store_true")
    options = parser.parse_args()
    bench.warn_if_busy()
    rows, kept = [], {}
    with tempfile.TemporaryDirectory() as folder:
        if not options.schedules:
            built(pathlib.Path(folder))
        for peers in map(int, options.peers.split(",")):
            more, kept[f"{peers} peers"] = (schedules(peers, options.rounds) if options.schedules
                                            else beside_peers(folder, peers, options.rounds))
            rows += more
    heads = ([*(f"{s} µs" for s in schedule_names), *(f"{s} to the ring" for s in schedule_names[1:])] if options.schedules else
             ["µs", "GB/s", "Open MPI", "Open MPI, TCP", "gloo", "to gloo", "to Open MPI", "in one process", "of its memory's"])
    bench.table(["processes", "tensor", *heads], rows)
    bench.keep("all_reduce_schedules" if options.schedules else "all_reduce", kept)


if __name__ == "__main__":
    main()
