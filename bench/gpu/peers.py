#!/usr/bin/env python3
"""What PyTorch does on the same GPU: the lines of bench_gpu that it has a counterpart for."""
import time

import torch

N = 1 << 26


def seconds(f, times=20):
    for _ in range(3):
        f()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        f()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def row(what, value, unit):
    print(f"PyTorch: {what}\t{value:.4g}\t{unit}\t", flush=True)


def main():
    a, b = (torch.zeros(N, device="cuda") for _ in range(2))
    row("copy on the device", 2 * N * 4 / seconds(lambda: b.copy_(a)) / 1e9, "GB/s")
    makers = {
        "sgd": (3, lambda p: torch.optim.SGD(p, lr=0.1, fused=True)),
        "momentum": (5, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, fused=True)),
        "adam": (7, lambda p: torch.optim.Adam(p, lr=0.01, fused=True)),
    }
    for name, (accesses, make) in makers.items():
        parameter = torch.nn.Parameter(torch.zeros(N, device="cuda"))
        parameter.grad = a
        optimizer = make([parameter])
        row(name, accesses * N * 4 / seconds(optimizer.step) / 1e9, "GB/s")
        del optimizer, parameter
    row("to bf16", N * 6 / seconds(lambda: a.to(torch.bfloat16)) / 1e9, "GB/s")
    row("sum of squares", N * 4 / seconds(lambda: torch.linalg.vector_norm(a)) / 1e9, "GB/s")
    logits = torch.zeros(N // 1000, 1000, device="cuda", requires_grad=True)
    labels = torch.zeros(N // 1000, dtype=torch.int64, device="cuda")

    def loss():
        logits.grad = None
        torch.nn.functional.cross_entropy(logits, labels).backward()

    row("cross-entropy of 1,000 classes", 2 * logits.numel() * 4 / seconds(loss) / 1e9, "GB/s")
    for name, dtype, tf32 in (("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        x, w = (torch.zeros(4096, 4096, device="cuda", dtype=dtype) for _ in range(2))
        bias = torch.zeros(4096, device="cuda", dtype=dtype)
        multiply = lambda: torch.relu(torch.nn.functional.linear(x, w, bias))
        row(f"matmul 4096³ {name} + bias, relu", 2 * 4096**3 / seconds(multiply) / 1e12, "TFLOP/s")


if __name__ == "__main__":
    main()
