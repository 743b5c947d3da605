"""Cross-entropy on logits with its gradient against PyTorch, JAX (optax) and SciPy, all in one run; and how near the limit it is.

    python benchmarks/bench_cross_entropy.py [--short] [--write docs/benchmarks.md]

Every library works on arrays of its own, ours on NumPy's; mean cost over class indices, and its gradient by the logits in memory
that was not there before. Rounds take turns; times are medians, ratios are medians over the rounds.

The limit: the same logits copied once into fresh memory by the same threads, since every logit has to be read and every
derivative written. Memory is the greatest size of the process above what it was before, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from measuring import able, in_turns, machine, put, ratio

import xent
from xent import kernels

SIZES = [(1024, 32_000), (512, 128_256), (8192, 1000), (65_536, 10), (32, 10)]
MARK = "<!-- cross-entropy -->"
LIMIT = "a copy into fresh memory"


def drawn(n: int, k: int, dtype: str) -> tuple[Any, Any]:
    """Logits and targets."""
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((n, k), np.float32) * 3, rng.integers(0, k, n)
    if dtype == "bfloat16":
        import ml_dtypes

        z = z.astype(ml_dtypes.bfloat16)
    return z.astype(dtype) if dtype != "bfloat16" else z, y


def with_xent(z: Any, y: Any) -> Any:
    return lambda: xent.cross_entropy_and_grad(z, y)


def with_copy(z: Any, y: Any) -> Any:
    def run() -> None:
        fresh = np.empty_like(z)
        kernels.share_out(lambda start, stop: np.copyto(fresh[start:stop], z[start:stop]), len(z), max(1, 65_536 // z.shape[1]))

    return run


def _torch(z: Any, y: Any) -> tuple[Any, Any, Any]:
    import torch

    torch.set_num_threads(kernels.threads())
    leaf = torch.tensor(z.astype(np.float32)).to(getattr(torch, z.dtype.name)).requires_grad_()
    return torch, leaf, torch.tensor(y)


def with_torch(z: Any, y: Any) -> Any:
    torch, leaf, target = _torch(z, y)
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, target), leaf)


def with_torch_compile(z: Any, y: Any) -> Any:
    torch, leaf, target = _torch(z, y)
    cost = torch.compile(torch.nn.functional.cross_entropy, dynamic=False)
    return lambda: torch.autograd.grad(cost(leaf, target), leaf)


def with_optax(z: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    both = jax.jit(jax.value_and_grad(lambda z, y: optax.softmax_cross_entropy_with_integer_labels(z, y).mean()))
    z, y = jnp.asarray(z), jnp.asarray(y)
    return lambda: jax.block_until_ready(both(z, y))


def with_scipy(z: Any, y: Any) -> Any:
    from scipy.special import log_softmax

    rows = np.arange(len(y))

    def run() -> Any:
        logs = log_softmax(z, axis=-1)
        grad = np.exp(logs)
        grad[rows, y] -= 1
        return -logs[rows, y].mean(), np.divide(grad, len(y), out=grad)

    return run


MAKERS = {
    "xent": with_xent,
    LIMIT: with_copy,
    "PyTorch, eager": with_torch,
    "PyTorch, `torch.compile`": with_torch_compile,
    "JAX, optax under `jit`": with_optax,
    "SciPy, `log_softmax`": with_scipy,
}


def measure(n: int, k: int, dtype: str, rounds: int) -> str:
    """One table."""
    z, y = drawn(n, k, dtype)
    fit = {name: make for name, make in MAKERS.items() if dtype == "float32" or "SciPy" not in name}
    times = in_turns(able({name: lambda make=make: make(z, y) for name, make in fit.items()}), rounds)
    lines = ["| | ms | × xent | of the limit | MiB |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        share = f"{ratio(times[LIMIT], taken):.0%}"
        memory = "" if n * k < 1 << 20 else f"{peak(name, n, k, dtype):.0f}"
        lines.append(f"| {name} | {statistics.median(taken) * 1e3:.3g} | {ratio(taken, times['xent']):.2f} | {share} | {memory} |")
    return f"### {n:,} × {k:,}, {dtype}\n\n" + "\n".join(lines)


def peak(name: str, n: int, k: int, dtype: str) -> float:
    """MiB that a run needs at most beside its input, in a process of its own; compiled and run once before."""
    done = subprocess.run([sys.executable, __file__, "--peak", name, str(n), str(k), dtype], capture_output=True, text=True)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else float("nan")


def _peak(name: str, n: int, k: int, dtype: str) -> None:
    z, y = drawn(n, k, dtype)
    MAKERS[name](z[:2].copy(), y[:2])()  # what is loaded and compiled does not count
    run = MAKERS[name](z, y)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    run()
    high = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line).split()[1]) * 1024
    print((high - before) / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="an eighth of the rows, three rounds")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into a Markdown file, in place of the last ones")
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        _peak(options.peak[0], int(options.peak[1]), int(options.peak[2]), options.peak[3])
        return
    rounds = 3 if options.short else 9
    parts = []
    for n, k in SIZES:
        for dtype in ("float32", "bfloat16") if k > 1000 else ("float32",):
            parts.append(measure(max(32, n // 8) if options.short else n, k, dtype, rounds if n > 32 else 50 * rounds))
            print(parts[-1] + "\n", flush=True)
    about = machine("numpy", "numba", "torch", "jax", "optax", "scipy")
    how = f"`python benchmarks/bench_cross_entropy.py`, medians of {rounds} rounds in one run. {about}."
    head = f"## Cross-entropy on logits and its gradient\n\n{how}"
    foot = "The limit is a copy of the logits into fresh memory, by the same threads. MiB: needed at most beside the input."
    print(head, foot, sep="\n")
    if options.write:
        put(options.write, MARK, "\n\n".join([head, *parts, foot]))


if __name__ == "__main__":
    main()
