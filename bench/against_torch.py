#!/usr/bin/python3
"""Trains the same model on the same samples with Troupe and with PyTorch, and compares the weights.

Both start from one safetensors file, take the samples in order, and make 50 steps. The distance is the relative L2 norm
of the difference over all parameters, and over all running statistics. With --double PyTorch also trains in double precision:
its distance from itself is what rounding alone does to the same run.

    bench/against_torch.py [--models mlp,lenet] [--optimizers adam] [--steps 50] [--threads 2] [--double]
"""
import argparse
import gzip
import json
import pathlib
import struct
import sys
import tempfile

import side_by_side as bench

limit = 1e-4
# Data and batch, and by how much the learning rates below shrink. Where the usual rates make PyTorch's own single and double
# precision differ by more than the limit after 50 steps, no comparison with a third implementation can say anything.
models = {"mlp": ("mnist", 256, 0.1), "lenet": ("mnist", 128, 0.1), "resnet20": ("cifar-10", 64, 0.01)}
# The options of torch.optim, and their spelling as options of the command.
optimizers = {
    "sgd": ("SGD", {"lr": 0.02, "weight_decay": 0.0005}),
    "momentum": ("SGD", {"lr": 0.01, "weight_decay": 0.0005, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.001, "weight_decay": 0.0005}),
    "adamw": ("AdamW", {"lr": 0.001, "weight_decay": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 0.00002}),
}


def settings(model, name):
    """torch.optim's class and its options for this model."""
    kind, options = optimizers[name]
    return kind, {**options, "lr": options["lr"] * models[model][2]}


def as_options(model, name):
    options = settings(model, name)[1]
    command = ["--optimizer", "momentum" if name == "nesterov" else name, "--lr", f"{options['lr']:.9f}"]
    if "weight_decay" in options:
        command += ["--weight-decay", options["weight_decay"]]
    return command + (["--nesterov"] if name == "nesterov" else [])


def save(path, tensors):
    """Writes named numpy arrays as safetensors: header length, header, bytes."""
    header, bodies, offset = {}, [], 0
    for name, array in tensors.items():
        body = array.tobytes()
        kind = {"float32": "F32", "int64": "I64"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + len(body)]}
        bodies.append(body)
        offset += len(body)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(bodies))


def load(np, path):
    content = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(content[start + at["data_offsets"][0]:start + at["data_offsets"][1]],
                                {"F32": np.float32, "I64": np.int64}[at["dtype"]]).reshape(at["shape"])
            for name, at in header.items()}


def images(np, name):
    """The training set, normalised as Troupe does it: (samples, channels, height, width), and the labels."""
    folder = pathlib.Path(bench.data(name))
    if name == "mnist":
        pixels = np.frombuffer(gzip.open(folder / "train-images-idx3-ubyte.gz").read(), np.uint8)[16:]
        labels = np.frombuffer(gzip.open(folder / "train-labels-idx1-ubyte.gz").read(), np.uint8)[8:]
        pixels, mean, deviation = pixels.reshape(-1, 1, 28, 28), [0.1307], [0.3081]
    else:
        files = sorted(folder.glob("data_batch_*.bin"))
        records = np.concatenate([np.fromfile(f, np.uint8) for f in files]).reshape(-1, 3073)
        labels, pixels = records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32)
        mean, deviation = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    spread = lambda x: np.array(x).reshape(1, -1, 1, 1)
    return ((pixels / 255 - spread(mean)) / spread(deviation)).astype(np.float32), labels.astype(np.int64)


def train_in_torch(torch, net, settings, samples, steps, batch):
    """Steps of `batch` samples in order; the last step of an epoch takes what is left."""
    x, y = samples
    kind, options = settings
    optimizer, loss = getattr(torch.optim, kind)(net.parameters(), **options), torch.nn.CrossEntropyLoss()
    first = 0
    for _ in range(steps):
        last = min(first + batch, len(x))
        optimizer.zero_grad()
        loss(net(x[first:last]), y[first:last]).backward()
        optimizer.step()
        first = last % len(x)
    return {k: v.numpy() for k, v in net.state_dict().items()}


def distance(np, a, b, names):
    """Relative L2 distance of `a` from `b` over all named tensors; none without names."""
    if not names:
        return None
    flat = [np.concatenate([w[n].ravel().astype(np.float64) for n in names]) for w in (a, b)]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1]))


def compare(np, torch, definitions, model, optimizer, options):
    data, batch, _ = models[model]
    torch.manual_seed(1)
    net = definitions.CFG[model][0]().train()
    x, y = images(np, data)
    shape = (-1, *definitions.CFG[model][1])
    start = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/start", start)
        bench.train("--model", model, "--data", bench.data(data), "--order", "sequential", "--no-augment",
                    "--steps", options.steps, "--epochs", 1000, "--schedule", "constant", "--batch", batch, "--micro-batch", batch, "--agents", 1,
                    "--threads", options.threads, "--no-evaluate", "--init", f"{folder}/start", "--export",
                    f"{folder}/end", *as_options(model, optimizer))
        ours = load(np, f"{folder}/end")
    weights = {}
    for kind in (torch.float32, torch.float64) if options.double else (torch.float32,):
        net.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in start.items()})
        net = net.to(kind)
        samples = torch.from_numpy(x).to(kind).reshape(shape), torch.from_numpy(y)
        weights[kind] = {k: v.copy() for k, v in
                         train_in_torch(torch, net, settings(model, optimizer), samples, options.steps, batch).items()}
        net = net.to(torch.float32)
    theirs, exact = weights[torch.float32], weights.get(torch.float64)
    statistics = [k for k in theirs if "running" in k]
    parameters = [k for k in theirs if "running" not in k and "num_batches" not in k]
    if set(ours) != set(theirs):
        bench.refuse(f"{model} has other tensors here and there: {sorted(set(ours) ^ set(theirs))}")
    counts = [k for k in theirs if "num_batches" in k]
    return {"model": model, "optimizer": optimizer, "parameters": distance(np, ours, theirs, parameters),
            "statistics": distance(np, ours, theirs, statistics), "own": exact and distance(np, theirs, exact, parameters),
            "ours_exact": exact and distance(np, ours, exact, parameters),
            "moved": distance(np, theirs, start, parameters),
            "counts equal": all(int(ours[k]) == int(theirs[k]) for k in counts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(models))
    parser.add_argument("--optimizers", default=",".join(optimizers))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--double", action="store_true", help="train in double precision too")
    options = parser.parse_args()
    sys.path.insert(0, str(bench.peers()))
    import numpy as np
    import torch
    import models as definitions
    torch.set_num_threads(options.threads)
    rows = []
    text = lambda x: "-" if x is None else f"{x:.1e}"
    table = bench.growing_table("model", "optimizer", "parameters", "statistics", "PyTorch to double", "Troupe to double", "moved",
                                widest=(8,))
    for model in options.models.split(","):
        for optimizer in options.optimizers.split(","):
            r = compare(np, torch, definitions, model, optimizer, options)
            rows.append(r)
            table.row(model, optimizer, text(r["parameters"]), text(r["statistics"]), text(r["own"]), text(r["ours_exact"]), text(r["moved"]))
    bench.keep("against_torch", rows)
    far = [r for r in rows if r["parameters"] > limit or not r["counts equal"]]
    print(f"{len(rows) - len(far)} of {len(rows)} within {limit:.0e} after {options.steps} steps")
    sys.exit(1 if far else 0)


if __name__ == "__main__":
    main()
