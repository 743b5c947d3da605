"""How exact cross-entropy on logits is, ours and others': the worst relative error of cost and gradient, and the input behind it.

    python benchmarks/accuracy.py [--write docs/accuracy.md]

Each family of inputs is given to every library in float32 and in float64; the truth is mpmath's, with 60 digits more than the
spread of the logits takes. A relative error of 1 means that nothing is left, usually that 0 came out. Results below the normal
range are left out.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import mpmath
import numpy as np
from measuring import machine, put

import xent

MARK = "<!-- accuracy -->"


def one(k: int, **at: float) -> Any:
    """A row of zeros but for some classes, named c0, c1, …."""
    z = np.zeros(k)
    for name, value in at.items():
        z[int(name[1:])] = value
    return z


def families(rng: np.random.Generator) -> Iterator[tuple[str, list[tuple[str, Any, int]]]]:
    """Named families: (what the row is, logits, target)."""
    yield "drawn, N(0, 3), 10 classes", [(f"drawn row {i}", rng.normal(scale=3, size=10), i % 10) for i in range(30)]
    yield "drawn, N(0, 3), 1,000 classes", [(f"drawn row {i}", rng.normal(scale=3, size=1000), i) for i in range(4)]
    yield "surely right", [(f"margin {m}", one(10, c0=m), 0) for m in (5, 10, 14, 16, 17, 20, 40, 60, 80)]
    yield "surely wrong", [(f"margin −{m}", one(10, c0=-m), 0) for m in (5, 10, 16, 20, 40, 60, 80)]
    yield (
        "common offset",
        [(f"N(0, 3) + {o:.0e}", np.round(rng.normal(scale=3, size=10) * 8) / 8 + o, 1) for o in (1e3, -1e5, 1e6, -1e6)],
    )
    yield "far apart", [(f"0, −{m}.7, {m}.3", np.asarray([0.0, -m - 0.7, m + 0.3]), 2) for m in (20, 30, 39)]
    yield "two of a kind", [(f"two at {m}", one(10, c0=m, c1=m), 0) for m in (0, 20, 80)]


def ours(z: Any, y: Any) -> tuple[Any, Any]:
    return xent.cross_entropy_and_grad(z, y, reduction="none")


def _of_torch(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    import torch

    def run(z: Any, y: Any) -> tuple[Any, Any]:
        leaf = torch.tensor(z, requires_grad=True)
        cost = function(leaf, torch.tensor(y), reduction="none")
        return cost.detach().numpy(), torch.autograd.grad(cost.sum(), leaf)[0].numpy()

    return run


def with_torch() -> Callable[..., tuple[Any, Any]]:
    import torch

    return _of_torch(torch.nn.functional.cross_entropy)


def with_torch_compile() -> Callable[..., tuple[Any, Any]]:
    import torch

    return _of_torch(torch.compile(torch.nn.functional.cross_entropy))


def with_optax() -> Callable[..., tuple[Any, Any]]:
    import jax
    import optax

    def total(z: Any, y: Any) -> tuple[Any, Any]:
        cost = optax.softmax_cross_entropy_with_integer_labels(z, y)
        return cost.sum(), cost

    run = jax.jit(jax.grad(total, has_aux=True))
    return lambda z, y: tuple(np.asarray(v) for v in reversed(run(z, y)))


def with_scipy() -> Callable[..., tuple[Any, Any]]:
    from scipy.special import log_softmax

    def run(z: Any, y: Any) -> tuple[Any, Any]:
        logs = log_softmax(z, axis=-1)
        grad = np.exp(logs)
        grad[np.arange(len(y)), y] -= 1
        return -logs[np.arange(len(y)), y], grad

    return run


LIBRARIES: dict[str, Callable[[], Any]] = {
    "xent": lambda: ours,
    "PyTorch": with_torch,
    "torch.compile": with_torch_compile,
    "optax, jit": with_optax,
    "SciPy": with_scipy,
}


def truth(z: Any, y: int) -> tuple[Any, list[Any]]:
    """Cost and gradient."""
    spread = float(z.max() - z.min())
    with mpmath.workdps(60 + int(spread / 2.3)):
        powers = [mpmath.exp(mpmath.mpf(float(v)) - mpmath.mpf(float(z.max()))) for v in z]
        total = mpmath.fsum(powers)
        others = mpmath.fsum(p for j, p in enumerate(powers) if j != y)
        return mpmath.log1p(others / powers[y]), [-others / total if j == y else p / total for j, p in enumerate(powers)]


def off(found: float, exact: Any, least: float) -> float:
    """The relative error; 0 where the exact value is below the normal range."""
    with mpmath.workdps(60):
        return 0.0 if abs(exact) < least else float(abs(mpmath.mpf(float(found)) - exact) / abs(exact))


def table(dtype: str, libraries: dict[str, Any]) -> str:
    """Worst error of cost / of gradient in each family, and where."""
    lines = [f"| {dtype} | " + " | ".join(libraries) + " |", "| --- |" + " --- |" * len(libraries)]
    least = float(np.finfo(dtype).tiny)
    for name, rows in families(np.random.default_rng(0)):
        given = [(what, z.astype(dtype), y) for what, z, y in rows]
        exact = [truth(z, y) for _, z, y in given]
        cells = []
        for run in libraries.values():
            cost, grad = run(np.stack([z for _, z, _ in given]), np.asarray([y for _, _, y in given]))
            costs = [off(c, e[0], least) for c, e in zip(cost, exact, strict=True)]
            grads = [max(off(g, s, least) for g, s in zip(row, e[1], strict=True)) for row, e in zip(grad, exact, strict=True)]
            worst = int(np.argmax(np.maximum(costs, grads)))
            where = f" ({given[worst][0]})" if max(costs[worst], grads[worst]) > 100 * np.finfo(dtype).eps else ""
            cells.append(f"{max(costs):.1e} / {max(grads):.1e}{where}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into a Markdown file, in place of the last ones")
    options = parser.parse_args()
    libraries = {}
    for name, make in LIBRARIES.items():
        try:
            libraries[name] = make()
            libraries[name](np.zeros((2, 3)), np.zeros(2, int))
        except Exception as error:  # not installed, or no compiler
            libraries.pop(name, None)
            print(f"{name} left out: {type(error).__name__}")
    about = machine("numpy", "numba", "torch", "jax", "optax", "scipy")
    text = "\n\n".join([
        "## Worst relative error of cost / of gradient",
        f"`python benchmarks/accuracy.py`. {about}. In parentheses the input, where more than a hundred roundings are lost; 1 is "
        "everything. The truth is mpmath's.",
        *(table(dtype, libraries) for dtype in ("float32", "float64")),
    ])  # fmt: skip
    print(text)
    if options.write:
        put(options.write, MARK, text)


if __name__ == "__main__":
    main()
