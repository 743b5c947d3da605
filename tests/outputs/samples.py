"""The inputs that every output is tried on: hard ones by name, drawn ones around them."""

from __future__ import annotations

import numpy as np

import xent
from xent.costs import Labels

NAMED = [0.0, 1e-300, -1e-300, 1e-17, -1e-17, 1.0, -1.0, 16.7, -16.7, 36.8, -36.8, 80.0, -80.0, 355.0, -355.0, 700.0, -700.0]
"""0 (where zero-initialised networks start), both sides of it, where float32 and float64 sigmoids round to 1, and the far ends."""


def scalars(seed: int = 0) -> np.ndarray:
    """Weighted inputs for elementwise outputs."""
    rng = np.random.default_rng(seed)
    return np.concatenate([NAMED, rng.normal(size=8), 30 * rng.normal(size=8), rng.uniform(-700, 700, 8)])


def rows(seed: int = 0, classes: int = 4) -> np.ndarray:
    """Logits for softmax outputs: ties, near ties, small, moderate and huge margins, a common offset."""
    rng = np.random.default_rng(seed)
    drawn = [scale * rng.normal(size=(3, classes)) for scale in (1e-3, 1, 30, 300)]
    named = np.zeros((4, classes))
    named[1, 0] = 80.0
    named[2, :2] = -40.0, -41.0
    named[3] = 1e6 + rng.normal(size=classes)
    return np.concatenate([*drawn, rng.uniform(-700, 700, (6, classes)), named])


def ends(output: xent.Output) -> tuple[float, float]:
    """The two hard targets of an elementwise output."""
    allowed = output.cost.targets_on(output.activation)
    if isinstance(allowed, Labels):
        return allowed.values
    return (allowed.low, allowed.high) if allowed.bounded else (0.0, 1.0)


def targets(output: xent.Output, z: np.ndarray, kind: str, seed: int = 1) -> np.ndarray:
    """Hard or soft targets for z. Soft ones of a margin cost do not exist: hard again."""
    rng = np.random.default_rng(seed)
    if output.activation.vector:
        hard = rng.integers(0, z.shape[-1], z.shape[:-1])
        return hard if kind == "hard" else rng.dirichlet(np.ones(z.shape[-1]), z.shape[:-1])
    low, high = ends(output)
    side = rng.integers(0, 2, z.shape)
    if kind == "hard" or isinstance(output.cost.targets, Labels):
        return np.where(side, high, low).astype(float)
    return low + (high - low) * rng.uniform(0.05, 0.95, z.shape)


def inputs(output: xent.Output, seed: int = 0) -> np.ndarray:
    """z for an output, of the right shape."""
    return rows(seed) if output.activation.vector else scalars(seed)


def as_distribution(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Class indices as one-hot rows."""
    return np.eye(z.shape[-1])[y] if y.ndim < z.ndim else y
