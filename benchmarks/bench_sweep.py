"""The sweep against NumPy, PyTorch and JAX: a million neurons, 300 steps, all in one run; and how near the machine's limit it is.

    python benchmarks/bench_sweep.py [--short] [--write docs/benchmarks.md]

Every rival does the same work: quadratic cost on a sigmoid, w and b taught at an x, y and rate that are known when it runs, the
first step with an error below 0.1 noted. Rounds take turns, so that a busy moment hits all of them; times are medians, ratios
are medians over the rounds.

The limit: of the floating-point instructions that a neuron's step takes at least (one FMA counts once), as many a second as a
loop of FMAs alone reaches on the same cores in the same run. Where additions find a place beside the FMAs, more is possible.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import jax
import jax.numpy as jnp
import numpy as np
import torch
from measuring import able, machine, put

import xent
from xent import kernels
from xent.memory import aligned
from xent.threads import share_out, threads

torch.set_num_threads(threads())

RATE, LEARNED, X, Y = 0.15, 0.1, 1.0, 0.0
INSTRUCTIONS = {"float32": 9, "float64": 13}
"""With the odds u = e^(−z) as what is taught: 1 + u, 1/(1 + u), u·p: 3. δ: 2. u·δ: 1. Polynomial: 2 (float64: 6). Update: 1."""
MARK = "<!-- sweep -->"
PACKAGES = "numpy", "numba", "torch", "jax"


def ours(w: np.ndarray, b: np.ndarray, steps: int) -> Callable[[], Any]:
    return lambda: xent.sweep(w, b, X, Y, output="quadratic@sigmoid", rate=RATE, steps=steps, learned=LEARNED)


def with_numpy(w: np.ndarray, b: np.ndarray, steps: int) -> Callable[[], Any]:
    def run() -> Any:
        v, c, first = w.copy(), b.copy(), np.full(w.shape, -1, np.int32)
        for step in range(steps):
            a = 1 / (1 + np.exp(-(v * X + c)))
            first[(first < 0) & (np.abs(a - Y) < LEARNED)] = step
            delta = RATE * ((a - Y) * a * (1 - a))
            v -= delta * X
            c -= delta
        a = 1 / (1 + np.exp(-(v * X + c)))
        first[(first < 0) & (np.abs(a - Y) < LEARNED)] = steps
        return a, first

    return run


def with_torch(w: np.ndarray, b: np.ndarray, steps: int) -> Callable[[], Any]:
    start = torch.from_numpy(w), torch.from_numpy(b)

    def run() -> Any:
        v, c = start[0].clone(), start[1].clone()
        a, e, delta = (torch.empty_like(v) for _ in range(3))
        soon = torch.empty_like(v, dtype=torch.bool)
        waits = torch.zeros_like(v, dtype=torch.int32)  # steps before the first below the bar, counted while none was
        never = torch.ones_like(soon)
        for _ in range(steps):
            torch.add(c, v, alpha=X, out=a).sigmoid_()
            torch.sub(a, Y, out=e)
            torch.mul(e, a, out=delta)
            torch.ge(e.abs_(), LEARNED, out=soon)
            never.logical_and_(soon)
            waits.add_(never)
            delta.addcmul_(delta, a, value=-1)
            v.sub_(delta, alpha=RATE * X)
            c.sub_(delta, alpha=RATE)
        return torch.add(c, v, alpha=X, out=a).sigmoid_(), waits

    return run


def with_torch_compile(w: np.ndarray, b: np.ndarray, steps: int) -> Callable[[], Any]:
    @torch.compile
    def several(v: Any, c: Any, waits: Any, never: Any, x: Any, y: Any, rate: Any) -> Any:
        for _ in range(10):  # ten steps fused; more take minutes to compile
            a = torch.sigmoid(v * x + c)
            e = a - y
            never = never & (e.abs() >= LEARNED)
            delta = rate * (e * a * (1 - a))
            v, c, waits = v - delta * x, c - delta, waits + never
        return v, c, waits, never

    start = torch.from_numpy(w), torch.from_numpy(b)
    sample = tuple(torch.tensor(v, dtype=start[0].dtype) for v in (X, Y, RATE))

    def run() -> Any:
        state = (*start, torch.zeros_like(start[0], dtype=torch.int32), torch.ones_like(start[0], dtype=torch.bool))
        for _ in range(steps // 10):
            state = several(*state, *sample)
        return torch.sigmoid(state[0] * X + state[1]), state[2]

    return run


def with_jax(w: np.ndarray, b: np.ndarray, steps: int) -> Callable[[], Any]:
    @jax.jit
    def learn(v: Any, c: Any, x: Any, y: Any, rate: Any) -> Any:
        def body(step: Any, state: Any) -> Any:
            v, c, first = state
            a = jax.nn.sigmoid(v * x + c)
            first = jnp.where((first < 0) & (jnp.abs(a - y) < LEARNED), jnp.int32(step), first)
            delta = rate * ((a - y) * a * (1 - a))
            return v - delta * x, c - delta, first

        v, c, first = jax.lax.fori_loop(0, steps, body, (v, c, jnp.full(v.shape, -1, jnp.int32)))
        a = jax.nn.sigmoid(v * x + c)
        return a, jnp.where((first < 0) & (jnp.abs(a - y) < LEARNED), jnp.int32(steps), first)

    given = jnp.asarray(w), jnp.asarray(b), *(jnp.asarray(v, w.dtype) for v in (X, Y, RATE))
    return lambda: jax.block_until_ready(learn(*given))


def _fmas(x: Any, turns: Any) -> None:
    for _ in range(turns):
        for i in range(256):
            v = x[i]
            for _ in range(32):
                v = v * factor + factor
            x[i] = v


def peak(dtype: str) -> Callable[[], float]:
    """A measurement of FMAs a second, on all cores."""
    fmas = kernels.compiled(kernels.specialised(_fmas, "fmas", factor=np.dtype(dtype).type(0.5)), inline=False)
    turns, tasks = 20_000, 8 * threads()  # some 30 ms: in the first few a core is not at its pace
    fmas(aligned(256, dtype), 1)

    def measure() -> float:
        start = time.perf_counter()
        share_out(lambda a, b: [fmas(aligned(256, dtype), turns) for _ in range(a, b)] and None, tasks, 1)
        return tasks * turns * 256 * 32 / (time.perf_counter() - start)

    return measure


def measure(n: int, steps: int, rounds: int) -> str:
    """The table."""
    rng = np.random.default_rng(0)
    start = rng.normal(scale=2, size=(2, n))
    single = tuple(start.astype(np.float32))
    runs = {
        "xent, float32": ours(*single, steps),
        "JAX, jitted `fori_loop`": with_jax(*single, steps),
        "PyTorch, `torch.compile`": with_torch_compile(*single, steps),
        "PyTorch, eager, in place": with_torch(*single, steps),
        "NumPy": with_numpy(*single, steps),
        "xent, float64": ours(*start, steps),
        "JAX, float64": with_jax(*start, steps),
    }
    runs = able({name: lambda run=run: run for name, run in runs.items()})
    times: dict[str, list[float]] = {name: [] for name in runs}
    peaks: dict[str, list[float]] = {"float32": [], "float64": []}
    measures = {dtype: peak(dtype) for dtype in peaks}
    for _ in range(rounds):
        for dtype, fmas in measures.items():
            peaks[dtype].append(fmas())
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    lines = ["| | ms | × xent of the same dtype | neuron-steps a second | of the limit |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        dtype = "float64" if "64" in name else "float32"
        ratio = statistics.median(t / o for t, o in zip(taken, times[f"xent, {dtype}"], strict=True))
        rate = n * steps / statistics.median(taken)
        limit = statistics.median(peaks[dtype]) / INSTRUCTIONS[dtype]
        lines.append(f"| {name} | {statistics.median(taken) * 1e3:.0f} | {ratio:.2f} | {rate / 1e9:.2f}·10⁹ | {rate / limit:.0%} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a tenth of the neurons, three rounds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into a Markdown file, in place of the last one")
    options = parser.parse_args()
    n, steps, rounds = (100_000, 300, 3) if options.short else (1_000_000, 300, 7)
    table = measure(n, steps, rounds)
    text = (
        f"## `xent.sweep`: {n:,} neurons, {steps} steps, quadratic cost on a sigmoid\n\n"
        f"`python benchmarks/bench_sweep.py`, medians of {rounds} rounds in one run. {machine(*PACKAGES)}.\n\n{table}\n\n"
        f"The limit: {INSTRUCTIONS['float32']} floating-point instructions a neuron-step ({INSTRUCTIONS['float64']} in float64), "
        f"at the rate that a loop of FMAs alone reaches in the same run; beyond it where additions find a place beside the FMAs."
    )
    print(text)
    if options.write:
        put(options.write, MARK, text)


if __name__ == "__main__":
    main()
