"""Linear cross-entropy: time, share of the limit and peak memory, against PyTorch's two versions, each in a process of its own.

    python benchmarks/bench_linear_cross_entropy.py [--short] [--write docs/benchmarks.md]

The limit of cost and gradients is the three matrix products, of the cost alone one, done by NumPy into memory that is there: the
same BLAS, in the same process as ours, in turns with it. Each rival runs in a process of its own, so that its peak memory is its
own: the highest resident set of one call, less what was resident before it (inputs, warm libraries). Rounds take turns between
the processes, so that a busy moment hits all of them. Times are medians, ratios medians over the rounds.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import platform
import re
import statistics
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SIZES = [(1024, 512, 32_000), (512, 1024, 128_256)]
SHORT = [(256, 256, 8_000)]
MARK = "<!-- linear -->"
PAGE = 4096


def data(n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    h, w = rng.standard_normal((n, d), dtype=np.float32), rng.standard_normal((k, d), dtype=np.float32)
    return h, w / np.float32(d**0.5), rng.integers(0, k, n)


def ours(n: int, d: int, k: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import xent

    h, w, y = data(n, d, k)
    return lambda: xent.linear_cross_entropy_and_grad(h, w, y), lambda: xent.linear_cross_entropy(h, w, y)


def products(n: int, d: int, k: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    h, w, _ = data(n, d, k)
    z, dh, dw = np.zeros((n, k), np.float32), np.zeros((n, d), np.float32), np.zeros((k, d), np.float32)

    def three() -> None:
        np.matmul(h, w.T, out=z)
        np.matmul(z, w, out=dh)
        np.matmul(z.T, h, out=dw)

    return three, lambda: np.matmul(h, w.T, out=z)


def with_torch(n: int, d: int, k: int, f: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import torch

    import xent.torch

    h, w, y = (torch.from_numpy(x) for x in data(n, d, k))
    wanting = [h.clone().requires_grad_(), w.clone().requires_grad_()]
    chunked = {"options": torch.nn.LinearCrossEntropyOptions()} if f == "chunked" else {}
    call: Any = xent.torch.linear_cross_entropy if f == "xent" else torch.nn.functional.linear_cross_entropy

    def both() -> None:
        call(*wanting, y, **chunked).backward()
        for x in wanting:
            x.grad = None

    def alone() -> None:
        with torch.no_grad():
            call(h, w, y, **chunked)

    return both, alone


RIVALS: dict[str, Callable[..., tuple[Callable[[], Any], Callable[[], Any]]]] = {
    "the matrix products (the limit)": products,
    "xent, NumPy": ours,
    "xent.torch": lambda *size: with_torch(*size, "xent"),
    "PyTorch, linear_cross_entropy": lambda *size: with_torch(*size, "plain"),
    "PyTorch, in chunks": lambda *size: with_torch(*size, "chunked"),
}


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def peak_of(call: Callable[[], Any]) -> int:
    """Bytes that became resident while the call ran, what is kept from earlier calls given back before."""
    from xent.ops import pages

    pages.give_back()
    before, highest, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.0005):
            highest = max(highest, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    call()
    done.set()
    watcher.join()
    return highest - before


def serve(name: str, size: tuple[int, int, int], pipe: Any) -> None:
    """A process that times what it is asked for, 0 with gradients and 1 without; None ends it."""
    calls = RIVALS[name](*size)
    for call in calls:
        call()
    pipe.send([peak_of(call) for call in calls])
    while (asked := pipe.recv()) is not None:
        time.sleep(0.3)  # until the threads of whoever was measured last have stopped waiting by spinning
        start = time.perf_counter()
        calls[asked]()
        pipe.send(time.perf_counter() - start)


def measure(size: tuple[int, int, int], rounds: int) -> dict[str, dict[str, Any]]:
    context, running = mp.get_context("spawn"), {}
    for name in RIVALS:
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(name, size, there))
        process.start()
        running[name] = process, here
        found = {"peaks": here.recv(), "times": ([], [])}
        running[name] = process, here, found
    for _ in range(rounds):
        for asked in (0, 1):
            for _, pipe, found in running.values():
                pipe.send(asked)
                found["times"][asked].append(pipe.recv())
    for process, pipe, _ in running.values():
        pipe.send(None)
        process.join()
    return {name: found for name, (_, _, found) in running.items()}


def table(size: tuple[int, int, int], found: dict[str, dict[str, Any]]) -> str:
    n, d, k = size
    lines = [
        f"### {n}×{d}×{k:,}, float32",
        "",
        "| | cost and gradients, ms | of the limit | × xent | peak, MiB | cost alone, ms | of the limit | × xent | peak, MiB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    limit, own = found["the matrix products (the limit)"]["times"], found["xent, NumPy"]["times"]
    for name, it in found.items():
        cells = []
        for asked in (0, 1):
            times = it["times"][asked]
            of_limit = statistics.median(a / b for a, b in zip(limit[asked], times, strict=True))
            ratio = statistics.median(a / b for a, b in zip(times, own[asked], strict=True))
            cells += [
                f"{1e3 * statistics.median(times):.0f}",
                f"{of_limit:.0%}",
                f"{ratio:.2f}",
                f"{it['peaks'][asked] / 2**20:.0f}",
            ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    gradients = 4 * (n * d + k * d) / 2**20
    lines += [
        "",
        f"Of the peaks with gradients {gradients:.0f} MiB are the gradients; all the logits would be {4 * n * k / 2**20:.0f} MiB.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one small size, few rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, help="the file whose section between the marks is replaced")
    args = parser.parse_args()
    names = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "torch"))
    parts = [
        "## Linear cross-entropy: hidden, weight and targets to the cost and both gradients",
        f"`python benchmarks/bench_linear_cross_entropy.py`, medians of {args.rounds} rounds in one run. {mp.cpu_count()} cores, "
        f"Python {platform.python_version()}, {names}.",
    ]
    for size in SHORT if args.short else SIZES:
        parts.append(table(size, measure(size, 3 if args.short else args.rounds)))
        print(parts[-1], end="\n\n", flush=True)
    if args.write:
        text = args.write.read_text()
        section = f"{MARK}\n" + "\n\n".join(parts) + f"\n{MARK}\n"
        pattern = re.compile(f"{MARK}\n.*?{MARK}\n", re.DOTALL)
        text = pattern.sub(lambda _: section, text) if pattern.search(text) else text.rstrip("\n") + "\n\n" + section
        args.write.write_text(text)


if __name__ == "__main__":
    main()
