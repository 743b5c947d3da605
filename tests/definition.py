"""The oracle of the ops: cross-entropy on logits written straight from its definition, in complex numbers.

Nothing is stable, clever or shared with the code. Derivatives by complex steps: an analytic function's imaginary part at x + ih
is h·f′(x), with no difference and so no cancellation, for h as small as 1e-30. Ties of logits are no trouble, −∞ and overflow are.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np

STEP = 1e-30
PHI: dict[Any, Callable[[Any], Any]] = {
    None: lambda p: -np.log(p),
    "focal(gamma=2)": lambda p: -((1 - p) ** 2) * np.log(p),
    "poly(epsilon=0.5)": lambda p: -np.log(p) + 0.5 * (1 - p),
    "lq(q=0.7)": lambda p: (1 - p**0.7) / 0.7,
}


def rows(
    z: np.ndarray,
    y: np.ndarray,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    shape: str | None = None,
    valid_classes: int | None = None,
    **_: Any,
) -> np.ndarray:
    """The cost of every row, not reduced; z of shape (n, K), real or complex."""
    k = valid_classes or z.shape[1]
    z = z[:, :k]
    z = z if softcap is None else softcap * np.tanh(z / softcap)
    e = np.exp(z / temperature)
    whole = e.sum(axis=1)
    kept = np.ones(len(z), bool) if y.ndim == 2 else y != ignore_index
    shares = y[:, :k] if y.ndim == 2 else np.eye(k)[np.where(kept, y, 0)]
    shares = (1 - label_smoothing) * shares + label_smoothing / k
    w = np.ones(k) if weight is None else np.asarray(weight)[:k]
    cost = (shares * w * PHI[shape](e / whole[:, None])).sum(axis=1) + z_loss * np.log(whole) ** 2
    return np.where(kept, cost, 0)


def divisor(z: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> float:
    """What the mean divides by."""
    if options.get("denominator") is not None:
        return options["denominator"]
    if y.ndim == 2:
        return len(y)
    kept = y[y != options.get("ignore_index", -100)]
    return len(kept) if options.get("weight") is None else np.asarray(options["weight"])[kept].sum()


def cost(z: np.ndarray, y: np.ndarray, **options: Any) -> Any:
    """The reduced cost."""
    each, reduction = rows(z, y, **options), options.get("reduction", "mean")
    return each if reduction == "none" else each.sum() / (1 if reduction == "sum" else divisor(z, y, options))


def gradient(z: np.ndarray, y: np.ndarray, upstream: Any = 1.0, **options: Any) -> np.ndarray:
    """∂(Σ upstream·cost)/∂z; with reduction none and no upstream the gradient of each row's own cost."""
    grad = np.empty(z.shape)
    for j in range(z.shape[1]):  # a row's cost depends on no other row, so all rows step at once
        moved = z.astype(complex)
        moved[:, j] += 1j * STEP
        grad[:, j] = rows(moved, y, **options).imag / STEP
    by = divisor(z, y, options) if options.get("reduction", "mean") == "mean" else 1.0
    return grad * np.reshape(upstream, (-1, 1)) / by


def by_complex_step(f: Callable[[np.ndarray], Any], x: np.ndarray) -> np.ndarray:
    """∂f/∂x of any real analytic function of an array, element by element."""
    grad = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[place] += 1j * STEP
        grad[place] = f(moved).imag / STEP
    return grad


# ── options, combined ──────────────────────────────────────────────────────────────────────────────────────────────────

CLASSES, VALID = 7, 5
WEIGHT = np.asarray([0.5, 2.0, 1.0, 3.0, 0.25, 1.5, 1.0])
CHOICES: dict[str, tuple[Any, ...]] = {
    "soft": (False, True),
    "reduction": ("mean", "sum", "none"),
    "weight": (None, WEIGHT),
    "label_smoothing": (0.0, 0.1),
    "z_loss": (0.0, 0.05),
    "softcap": (None, 3.0),
    "temperature": (1.0, 0.7),
    "shape": tuple(PHI),
    "valid_classes": (None, VALID),
    "denominator": (None, 11.0),
}


def pairwise() -> list[dict[str, Any]]:
    """Few combinations of options in which every pair of choices occurs together."""
    names = list(CHOICES)
    missing = {(a, i, b, j) for a, b in combinations(names, 2) for i in range(len(CHOICES[a])) for j in range(len(CHOICES[b]))} - {
        ("reduction", i, "denominator", 1) for i in (1, 2)
    }
    rng, made = np.random.default_rng(0), []

    def pairs(case: dict[str, int]) -> set[tuple[str, int, str, int]]:
        return {(a, case[a], b, case[b]) for a, b in combinations(names, 2)}

    while missing:
        drawn = []
        for _ in range(60):
            case = {name: int(rng.integers(len(CHOICES[name]))) for name in names}
            a, i, b, j = min(missing)
            case |= {a: i, b: j}
            case["denominator"] = case["denominator"] if case["reduction"] == 0 else 0
            drawn.append(case)
        best = max(drawn, key=lambda case: len(pairs(case) & missing))
        missing -= pairs(best)
        made.append({name: CHOICES[name][i] for name, i in best.items()})
    return made


def every() -> list[dict[str, Any]]:
    """All combinations that are allowed."""
    made = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
    return [case for case in made if case["reduction"] == "mean" or case["denominator"] is None]


def named(case: dict[str, Any]) -> str:
    """A combination as a test's name."""
    said = {name: "on" if isinstance(v, np.ndarray) else v for name, v in case.items()}
    said = {name: v for name, v in said.items() if v is True or v not in (None, 0.0, 1.0, False)}
    return ",".join(f"{name}={v}" for name, v in said.items())


def sample(soft: bool, classes: int = CLASSES, valid: int = VALID, n: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and targets, one row ignored, ties at the top of one."""
    rng = np.random.default_rng(seed)
    z = 3 * rng.standard_normal((n, classes))
    z[1] = 0.0
    y: np.ndarray = rng.integers(0, valid, n)
    y[2] = -100
    if soft:
        y = np.concatenate([rng.dirichlet(np.ones(valid), n), np.zeros((n, classes - valid))], axis=1)
        y[0] = np.eye(classes)[1]
    return z, y
