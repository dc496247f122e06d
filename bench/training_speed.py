#!/usr/bin/python3
"""Samples per second of a training step, and peak memory, beside tuned PyTorch, interleaved in one run.

One agent with 2 threads against one PyTorch process with 2 threads; two agents with 1 thread each against
DistributedDataParallel with gloo and 2 processes of 1 thread, half a batch each. Troupe reads, shuffles and normalises its samples
in that time; PyTorch keeps one random batch resident. Both update with momentum. Figures are medians.

    bench/training_speed.py [--models mlp,lenet] [--repetitions 3] [--seconds 4] [--no-ddp] [--no-bf16]
"""
import argparse
import json

import side_by_side as bench

# Per model: the name here and there, data, batch, and the steps of about 4 seconds.
models = {
    "mlp": ("mlp", "mlp", "mnist", 256, 500),
    "lenet": ("lenet", "lenet", "mnist", 128, 1000),
    "resnet20": ("resnet20", "resnet20", "cifar-10", 128, 40),
    "resnet18": ("resnet18", "resnet18", "cifar-10", 64, 12),
    "resnet50 64x64": ("resnet50", "resnet50_64", "random:3x64x64:1000", 32, 16),
    "resnet50 224x224": ("resnet50", "resnet50_224", "random:3x224x224:1000", 8, 6),
}


def troupe_trains(name, precision, agents, threads):
    model, _, data, batch, steps = models[name]
    data = data if ":" in data else bench.data(data)
    report = bench.train("--model", model, "--data", data, "--batch", batch, "--micro-batch", batch // agents, "--agents", agents,
                         "--threads", threads, "--steps", steps, "--epochs", 1000, "--no-evaluate", "--no-augment",
                         "--precision", precision, "--optimizer", "momentum", "--lr", "0.001")
    return report["samples_per_second"], report["peak_mib"]


def torch_trains(peers, name, precision, seconds, ddp):
    _, model, _, batch, _ = models[name]
    python = [str(peers / "tuned"), bench.python]
    usual = ["--secs", str(seconds)] + ([] if model == "mlp" else ["--cl"]) + (["--bf16"] if precision == "bf16" else [])
    if ddp:
        printed, peak = bench.measured(
            [*python, str(peers / "torchrun311.py"), "--standalone", "--nproc_per_node=2", str(peers / "train.py"), "--ddp", "--model", model,
             "--batch", str(batch // 2), "--threads", "1", *usual], {"OMP_NUM_THREADS": "1"})
    else:
        printed, peak = bench.measured(
            [*python, str(peers / "train.py"), "--model", model, "--batch", str(batch), "--threads", "2", *usual])
    return json.loads([line for line in printed.splitlines() if line.startswith("{")][-1])["sps"], peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(models))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--no-ddp", action="store_true")
    parser.add_argument("--no-bf16", action="store_true")
    options = parser.parse_args()
    peers = bench.peers()
    bench.warn_if_busy()
    kept = []
    table = bench.growing_table("model", "precision", "against", "troupe samples/s", "PyTorch samples/s", "ratio", "troupe MiB",
                                "PyTorch MiB", widest=(16, 9, 9))
    for name in options.models.split(","):
        for precision in ["f32"] if options.no_bf16 else ["f32", "bf16"]:
            for ddp in [False] if options.no_ddp else [False, True]:
                figures = bench.interleave(
                    options.repetitions,
                    troupe=lambda: troupe_trains(name, precision, *((2, 1) if ddp else (1, 2))),
                    torch=lambda: torch_trains(peers, name, precision, options.seconds, ddp))
                (ours, our_peak), (theirs, their_peak) = figures["troupe"], figures["torch"]
                row = [name, precision, "DDP" if ddp else "1 process", ours, theirs, ours / theirs, our_peak, their_peak]
                table.row(*row)
                kept.append(dict(zip(["model", "precision", "against", "troupe", "pytorch", "ratio", "troupe MiB", "pytorch MiB"], row)))
    bench.keep("training_speed", kept)


if __name__ == "__main__":
    main()
