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
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from measuring import machine, put

from xent.measuring.cross_entropy import MAKERS, compare, drawn

SIZES = [(1024, 32_000), (512, 128_256), (8192, 1000), (65_536, 10), (32, 10)]
MARK = "<!-- cross-entropy -->"


def measure(n: int, k: int, dtype: str, rounds: int) -> str:
    """One table."""
    found = compare(n, k, dtype, rounds=rounds)
    lines = ["| | ms | × xent | of the limit | MiB |", "| --- | --- | --- | --- | --- |"]
    for t in found.timings:
        memory = "" if n * k < 1 << 20 else f"{peak(t.name, n, k, dtype):.0f}"
        lines.append(f"| {t.name} | {t.seconds * 1e3:.3g} | {t.times_xent:.2f} | {t.of_the_limit:.0%} | {memory} |")
    for name, why in found.left_out.items():
        print(f"{name} left out: {why}")
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
            parts.append(measure(max(32, n // 8) if options.short else n, k, dtype, rounds if n > 32 else 3 * rounds))
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
