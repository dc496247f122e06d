#!/usr/bin/python3
"""Samples per second of a training step beside tuned PyTorch, interleaved in one run.

One agent with 2 threads against one PyTorch process with 2 threads; two agents with 1 thread each against DistributedDataParallel
with gloo and 2 processes, half a batch each. Troupe reads, shuffles and (where it is usual) normalises its samples in that time; PyTorch
keeps one random batch resident. Both update with momentum. Models whose input no data set at hand has (resnet50) are measured by
bench_replica, forward and backward and update of one replica.

    bench/training_speed.py [--models mlp,lenet] [--repetitions 3] [--seconds 4] [--no-ddp] [--no-bf16]
"""
import argparse
import json

import side_by_side as bench

#         data        batch  steps for about 4 s
models = {
    "mlp": ("mnist", 256, 500),
    "lenet": ("mnist", 128, 1000),
    "resnet20": ("cifar-10", 128, 40),
    "resnet18": ("cifar-10", 64, 12),
}


def rate_of_troupe(model, precision, agents, threads):
    data, batch, steps = models[model]
    report = bench.train("--model", model, "--data", bench.data(data), "--batch", batch, "--agents", agents, "--threads", threads,
                         "--steps", steps, "--epochs", 1000, "--no-evaluate", "--no-augment", "--precision", precision, "--lr", "0.001")
    return report["samples_per_second"]


def rate_of_torch(peers, model, precision, seconds, ddp):
    batch = models[model][1]
    extra = ([] if model == "mlp" else ["--cl"]) + (["--bf16"] if precision == "bf16" else [])
    if ddp:
        command = [str(peers / "tuned"), bench.python, "torchrun311.py", "--standalone", "--nproc_per_node=2", "train.py", "--ddp",
                   "--model", model, "--batch", str(batch // 2), "--threads", "1", "--secs", str(seconds), *extra]
        out = bench.run(command, {"OMP_NUM_THREADS": "1"})
    else:
        out = bench.run([str(peers / "tuned"), bench.python, "train.py", "--model", model, "--batch", str(batch), "--threads", "2",
                         "--secs", str(seconds), *extra])
    return json.loads([line for line in out.splitlines() if line.startswith("{")][-1])["sps"]


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
    rows, kept = [], []
    for model in options.models.split(","):
        for precision in ["f32"] if options.no_bf16 else ["f32", "bf16"]:
            for ddp in [False] if options.no_ddp or precision == "bf16" else [False, True]:
                figures = bench.interleave(
                    options.repetitions,
                    troupe=lambda: rate_of_troupe(model, precision, *((2, 1) if ddp else (1, 2))),
                    torch=lambda: rate_of_torch(peers, model, precision, options.seconds, ddp))
                setting = "2 agents x 1 thread / DDP" if ddp else "1 agent x 2 threads / 1 process"
                rows.append([model, precision, setting, figures["troupe"], figures["torch"], figures["troupe"] / figures["torch"]])
                kept.append(dict(zip(["model", "precision", "setting", "troupe", "pytorch", "ratio"], rows[-1])))
    bench.table(["model", "precision", "setting", "troupe samples/s", "PyTorch samples/s", "ratio"], rows)
    bench.keep("training_speed", kept)


if __name__ == "__main__":
    main()
