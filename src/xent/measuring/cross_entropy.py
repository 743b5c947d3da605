"""Cross-entropy with its gradient, ours and everyone's that is installed: what `xent bench` and the benchmark script measure.

Every library works on arrays of its own; mean cost over class indices, and its gradient by the logits in memory that was not
there before. The limit is one copy of the logits into fresh memory by the same threads: every logit has to be read and every
derivative written.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

import xent
from xent.errors import MissingPackageError
from xent.measuring.turns import able, in_turns, ratio
from xent.threads import share_out, threads

XENT = "xent"
LIMIT = "a copy into fresh memory"
COMPILED = "PyTorch, `torch.compile`"


@dataclass(frozen=True)
class Timing:
    """How long one library took, in the middle of the rounds."""

    name: str
    seconds: float
    times_xent: float
    """Its time over that of xent on NumPy arrays, round by round, the median."""
    of_the_limit: float
    """The time of the limit over its own."""


@dataclass(frozen=True)
class Comparison:
    """All libraries on one size, and why some are missing."""

    rows: int
    classes: int
    dtype: str
    timings: tuple[Timing, ...]
    left_out: dict[str, str]


def compare(rows: int, classes: int, dtype: str = "float32", *, rounds: int, without: tuple[str, ...] = ()) -> Comparison:
    """Every library's time for one size, in turns."""
    z, y = drawn(rows, classes, dtype)
    fit = {name: make for name, make in MAKERS.items() if name not in without and (dtype == "float32" or "SciPy" not in name)}
    runs, left_out = able({name: lambda make=make: make(z, y) for name, make in fit.items()})  # type: ignore[misc]
    times = in_turns(runs, rounds)
    timings = (Timing(name, median(taken), ratio(taken, times[XENT]), ratio(times[LIMIT], taken)) for name, taken in times.items())
    return Comparison(rows, classes, dtype, tuple(timings), left_out)


# ── the libraries ──────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(n: int, k: int, dtype: str) -> tuple[Any, Any]:
    """Logits and targets."""
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((n, k), np.float32) * 3, rng.integers(0, k, n)
    if dtype == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise MissingPackageError("NumPy has bfloat16 from ml_dtypes, which JAX brings: pip install ml_dtypes.") from error
        return z.astype(ml_dtypes.bfloat16), y
    return z.astype(dtype), y


def _xent(z: Any, y: Any) -> Any:
    return lambda: xent.cross_entropy_and_grad(z, y)


def _copy(z: Any, y: Any) -> Any:
    def run() -> None:
        fresh = np.empty_like(z)
        share_out(lambda start, stop: np.copyto(fresh[start:stop], z[start:stop]), len(z), max(1, 65_536 // z.shape[1]))

    return run


def _leaf(z: Any, y: Any) -> tuple[Any, Any, Any]:
    import torch

    torch.set_num_threads(threads())
    leaf = torch.tensor(z.astype(np.float32)).to(getattr(torch, z.dtype.name)).requires_grad_()
    return torch, leaf, torch.tensor(y)


def _eager(z: Any, y: Any) -> Any:
    torch, leaf, target = _leaf(z, y)
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, target), leaf)


def _torch_compile(z: Any, y: Any) -> Any:
    torch, leaf, target = _leaf(z, y)
    cost = torch.compile(torch.nn.functional.cross_entropy, dynamic=False)
    return lambda: torch.autograd.grad(cost(leaf, target), leaf)


def _xent_torch(z: Any, y: Any) -> Any:
    torch, leaf, target = _leaf(z, y)
    cost = xent.torch.cross_entropy
    return lambda: torch.autograd.grad(cost(leaf, target), leaf)


def _optax(z: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    both = jax.jit(jax.value_and_grad(lambda z, y: optax.softmax_cross_entropy_with_integer_labels(z, y).mean()))
    z, y = jnp.asarray(z), jnp.asarray(y)
    return lambda: jax.block_until_ready(both(z, y))  # type: ignore[no-untyped-call]


def _scipy(z: Any, y: Any) -> Any:
    from scipy.special import log_softmax

    rows = np.arange(len(y))

    def run() -> Any:
        logs = log_softmax(z, axis=-1)
        grad = np.exp(logs)
        grad[rows, y] -= 1
        return -logs[rows, y].mean(), np.divide(grad, len(y), out=grad)

    return run


MAKERS = {
    XENT: _xent,
    "xent.torch": _xent_torch,
    LIMIT: _copy,
    "PyTorch, eager": _eager,
    COMPILED: _torch_compile,
    "JAX, optax under `jit`": _optax,
    "SciPy, `log_softmax`": _scipy,
}
