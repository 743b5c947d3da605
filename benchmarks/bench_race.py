"""The race's fused loop against PyTorch, JAX and NumPy: 64 networks 64-30-10, batches of 10, 150 steps, all in one run.

    python benchmarks/bench_race.py [--short] [--write docs/benchmarks.md]

Every rival does the same work in float32: 64 starts, each with batches of its own, cross-entropy on a softmax, plain gradient
descent. PyTorch teaches one network after another, as one would; JAX maps over the networks and scans over the steps, jitted;
NumPy multiplies stacks of matrices. Rounds take turns, so that a busy moment hits all of them; times are medians, ratios are
medians over the rounds.

The limit is the machine's peak: the floating-point operations a second (an FMA counts as two) that a loop of FMAs alone reaches on
the same cores in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from bench_sweep import machine, peak

import xent
from xent.network import Recipe, cpu, start
from xent.network.plain import State

NETWORKS, SIZES, BATCH, STEPS, RATE = 64, (64, 30, 10), 10, 150, 0.3
MARK = "<!-- race -->"

FLOPS = 2 * BATCH * (2 * 64 * 30 + 3 * 30 * 10)
"""Of a network's step: two products with the first layer's weights, three with the second's."""


def problem() -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Starts, rows, classes and the order in which each network sees them."""
    rng = np.random.default_rng(0)
    starts = [start(Recipe(SIZES), rng) for _ in range(NETWORKS)]
    stacked = [np.stack(p).astype(np.float32) for p in zip(*starts, strict=True)]
    data = xent.data.load("digits")
    return stacked, data.x.astype(np.float32), data.y, rng.integers(0, len(data), (NETWORKS, STEPS, BATCH))


def ours(
    parameters: list[np.ndarray], x: np.ndarray, y: np.ndarray, order: np.ndarray, *, threads: bool = True
) -> Callable[[], Any]:
    output, recipe = xent.output("cross-entropy@softmax"), Recipe(SIZES, batch=BATCH)
    state, rates = State.of(parameters), np.full(NETWORKS, RATE, np.float32)
    where = [(output, slice(0, NETWORKS))]
    return lambda: cpu.learn(state, recipe, x, y, order, where, rates, threads=threads).parameters


def with_torch(parameters: list[np.ndarray], x: np.ndarray, y: np.ndarray, order: np.ndarray) -> Callable[[], Any]:
    rows, labels, orders = torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(order)

    def run() -> Any:
        finished = []
        for lane in range(NETWORKS):
            model = torch.nn.Sequential(torch.nn.Linear(64, 30), torch.nn.Sigmoid(), torch.nn.Linear(30, 10))
            with torch.no_grad():
                for layer, (w, b) in zip((model[0], model[2]), (parameters[:2], parameters[2:]), strict=True):
                    layer.weight.copy_(torch.from_numpy(w[lane].T.copy()))
                    layer.bias.copy_(torch.from_numpy(b[lane, 0]))
            optimiser, criterion = torch.optim.SGD(model.parameters(), lr=RATE), torch.nn.CrossEntropyLoss()
            for batch in orders[lane]:
                optimiser.zero_grad()
                criterion(model(rows[batch]), labels[batch]).backward()
                optimiser.step()
            finished.append(model[0].weight.detach().T)
        return [torch.stack(finished)]

    return run


def with_jax(parameters: list[np.ndarray], x: np.ndarray, y: np.ndarray, order: np.ndarray) -> Callable[[], Any]:
    def cost(p: Any, a: Any, t: Any) -> Any:
        z = jax.nn.sigmoid(a @ p[0] + p[1]) @ p[2] + p[3]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], axis=1))

    def one(p: Any, rows: Any, x: Any, y: Any) -> Any:
        def step(p: Any, batch: Any) -> Any:
            g = jax.grad(cost)(p, x[batch], y[batch])
            return [v - RATE * d for v, d in zip(p, g, strict=True)], None

        return jax.lax.scan(step, p, rows)[0]

    learn = jax.jit(jax.vmap(one, in_axes=(0, 0, None, None)))
    given = [jnp.asarray(p) for p in parameters], jnp.asarray(order), jnp.asarray(x), jnp.asarray(y)
    return lambda: jax.block_until_ready(learn(*given))


def with_numpy(parameters: list[np.ndarray], x: np.ndarray, y: np.ndarray, order: np.ndarray) -> Callable[[], Any]:
    one_hot = np.eye(10, dtype=np.float32)[y]
    share = np.float32(RATE / BATCH)

    def run() -> Any:
        w, b, v, c = (p.copy() for p in parameters)
        for step in range(STEPS):
            rows = order[:, step]
            a0, t = x[rows], one_hot[rows]
            a1 = 1 / (1 + np.exp(-(a0 @ w + b)))
            z = a1 @ v + c
            e = np.exp(z - z.max(-1, keepdims=True))
            delta = e / e.sum(-1, keepdims=True) - t
            back = (delta @ v.transpose(0, 2, 1)) * a1 * (1 - a1)
            v -= share * (a1.transpose(0, 2, 1) @ delta)
            c -= share * delta.sum(1, keepdims=True)
            w -= share * (a0.transpose(0, 2, 1) @ back)
            b -= share * back.sum(1, keepdims=True)
        return [w]

    return run


def measure(rounds: int) -> str:
    """The table."""
    given = problem()
    runs: dict[str, Callable[[], Any]] = {
        "xent": ours(*given),
        "xent, one thread": ours(*given, threads=False),
        "JAX, `jit(vmap(scan))`": with_jax(*given),
        "NumPy, stacks of matrices": with_numpy(*given),
        "PyTorch, one by one": with_torch(*given),
    }
    answers = {name: np.asarray(run()[0]) for name, run in runs.items()}
    for name, first in answers.items():
        assert np.allclose(first, answers["xent"], atol=2e-3), f"{name} does other work"
    times: dict[str, list[float]] = {name: [] for name in runs}
    fmas, peaks = peak("float32"), []
    for _ in range(rounds):
        peaks.append(2 * fmas())
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    lines = ["| | ms | × xent | GFLOP/s | of the machine's peak |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        ratio = statistics.median(t / o for t, o in zip(taken, times["xent"], strict=True))
        speed = NETWORKS * STEPS * FLOPS / statistics.median(taken)
        share = speed / statistics.median(peaks)
        lines.append(f"| {name} | {statistics.median(taken) * 1e3:.1f} | {ratio:.2f} | {speed / 1e9:.1f} | {share:.0%} |")
    lines += ["", f"The peak in this run: {statistics.median(peaks) / 1e9:.0f} GFLOP/s."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="three rounds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file, in place of the last one")
    options = parser.parse_args()
    rounds = 3 if options.short else 9
    text = (
        f"{MARK}\n## `xent.race`: {NETWORKS} networks {'-'.join(map(str, SIZES))}, batches of {BATCH}, {STEPS} steps\n\n"
        f"`python benchmarks/bench_race.py`, medians of {rounds} rounds in one run, float32. "
        f"{machine('numpy', 'numba', 'torch', 'jax')}.\n\n"
        f"{measure(rounds)}\n{MARK}"
    )
    print(text.replace(MARK, "").strip())
    if options.write:
        old = options.write.read_text() if options.write.exists() else f"# Benchmarks\n\n{MARK}{MARK}\n"
        before, _, rest = old.partition(MARK)
        options.write.write_text(f"{before}{text}{rest.partition(MARK)[2]}" if rest else f"{old.rstrip()}\n\n{text}\n")


if __name__ == "__main__":
    main()
