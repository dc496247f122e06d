#!/usr/bin/python3
"""Push and pull of 100 MB with 2 agents and 2 shard holders in processes of this host, beside ps-lite (zmq) in the same run. Medians over
rounds in turn; GB/s over all agents, both directions counted.

PSLITE  the folder with ps-lite's source (../shared/peers/README.md says which)

    bench/push_pull.py [--rounds 3] [--mib 100]
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile

import side_by_side as bench


def built(folder):
    """ps-lite with the program that pushes and pulls."""
    source = pathlib.Path(os.environ.get("PSLITE", bench.repository.parent / "ps-lite")).resolve()
    if not (source / "src" / "van.cc").exists():
        bench.refuse(f"there is no ps-lite in {source}: set PSLITE to the folder with its source")
    bench.run(["protoc", f"--cpp_out={folder}", f"--proto_path={source}/src", f"{source}/src/meta.proto"])
    files = [str(source / "src" / f"{name}.cc") for name in ("customer", "postoffice", "van")]
    bench.run(["g++", "-O3", "-march=native", "-std=c++14", "-w", f"-I{source}/include", f"-I{source}/src", f"-I{folder}", *files,
               f"{folder}/meta.pb.cc", str(bench.repository / "bench" / "push_pull_pslite.cpp"), "-o", f"{folder}/pslite", "-lzmq",
               "-lprotobuf", "-pthread"])


def speeds(printed, name):
    return statistics.median(json.loads(line)[name] for line in printed.splitlines() if line.startswith("{"))


def troupe(size):
    program = str(pathlib.Path(bench.troupe()).parent / "bench_push_pull")
    if not pathlib.Path(program).exists():
        bench.refuse(f"there is no {program}: build it with `make bench`")
    return speeds(bench.run([program, "2", "2", str(size)]), "algbw_GBps")


def ps_lite(folder, size):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "DMLC_NUM_SERVER": "2", "DMLC_NUM_WORKER": "2", "DMLC_PS_ROOT_URI": "127.0.0.1",
              "DMLC_PS_ROOT_PORT": str(port), "DMLC_INTERFACE": "lo"}
    all = [subprocess.Popen([f"{folder}/pslite", str(size)], env={**common, "DMLC_ROLE": role}, stdout=subprocess.PIPE, text=True)
           for role in ("scheduler", "server", "server", "worker", "worker")]
    printed = "".join(process.communicate(timeout=120)[0] for process in all)
    return speeds(printed, "GBps")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=100)
    options = parser.parse_args()
    bench.warn_if_busy()
    size = options.mib << 20
    with tempfile.TemporaryDirectory() as folder:
        built(folder)
        speed = bench.interleave(options.rounds, troupe=lambda: troupe(size), ps_lite=lambda: ps_lite(folder, size))
    bench.table(["push and pull, 2 agents, 2 shard holders", "GB/s"],
                [["troupe", speed["troupe"]], ["ps-lite", speed["ps_lite"]], ["", f"{speed['troupe'] / speed['ps_lite']:.1f}×"]])
    bench.keep("push_pull", speed)


if __name__ == "__main__":
    main()
