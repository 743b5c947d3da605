"""Train, tuning and test parts, stratified; scaled and filled with what the training part alone knows.

Test rows never choose anything: not the scaling, not the fill, not a rate, not an epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from xent.data.table import Data
from xent.errors import InputError

PARTS = ("train", "tuning", "test")
SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Split:
    """The rows of each part, prepared: x_train (n, d) and y_train (n,), and so on; `rows` are their places in the data."""

    x_train: Float[np.ndarray, "n d"]
    y_train: Int[np.ndarray, " n"]
    x_tuning: Float[np.ndarray, "m d"]
    y_tuning: Int[np.ndarray, " m"]
    x_test: Float[np.ndarray, "k d"]
    y_test: Int[np.ndarray, " k"]
    rows: tuple[np.ndarray, np.ndarray, np.ndarray]


def split(
    data: Data, *, seed: int = 0, shares: tuple[float, float, float] = SHARES, anew: bool = False, dtype: str = "float64"
) -> Split:
    """The data in three parts, every class in each of them in proportion.

    Where the data bring a test part of their own it is kept, unless all is to be drawn `anew`; the other rows are then divided in
    the proportion of the first two shares.

    >>> from xent.data import load
    >>> [len(rows) for rows in split(load("iris")).rows]
    [90, 30, 30]
    """
    if len(shares) != 3 or not all(0 < share < 1 for share in shares) or abs(sum(shares) - 1) > 1e-9:
        raise InputError(f"a split has three shares that sum to 1 (train, tuning, test), but {shares!r} came.")
    rng = np.random.default_rng(seed)
    given = None if anew else data.test
    parts: list[list[np.ndarray]] = [[], [], []]
    for place, name in enumerate(data.classes):
        for part, rows in zip(parts, _divided(np.flatnonzero(data.y == place), given, shares, rng), strict=True):
            if not len(rows):
                n = int((data.y == place).sum())
                raise InputError(
                    f"{data.name}: the class {name!r} has {n} rows, too few for one in each of training, tuning and test. "
                    "Remove the class or join it with another."
                )
            part.append(rows)
    train, tuned, tested = (np.sort(np.concatenate(part)) for part in parts)
    x = _prepared(data, train).astype(dtype)
    return Split(x[train], data.y[train], x[tuned], data.y[tuned], x[tested], data.y[tested], (train, tuned, tested))


def set_apart(y: Int[np.ndarray, " n"], among: Bool[np.ndarray, " n"], share: float, seed: int) -> Bool[np.ndarray, " n"]:
    """A share of the rows of each class, at least one, drawn from those that `among` marks.

    >>> int(set_apart(np.arange(20) % 2, np.ones(20, dtype=bool), 0.3, seed=0).sum())
    6
    """
    rng, chosen = np.random.default_rng(seed), np.zeros(len(y), dtype=bool)
    for place in np.unique(y):
        rows = rng.permutation(np.flatnonzero((y == place) & among))
        chosen[rows[: max(1, round(share * len(rows)))]] = True
    return chosen


def _divided(
    rows: np.ndarray, given: np.ndarray | None, shares: tuple[float, float, float], rng: np.random.Generator
) -> list[np.ndarray]:
    """The rows of one class in three parts; where there are three rows or more, none of the parts is empty.

    A test part that was given has no say, not even by its labels, in how the other rows are drawn.
    """
    if given is not None:
        rest = rng.permutation(rows[~given[rows]])
        tuning = max(1, round(len(rest) * shares[1] / (shares[0] + shares[1])))
        return [*np.split(rest, [max(len(rest) - tuning, 1)]), rows[given[rows]]]
    shuffled = rng.permutation(rows)
    tuning, test = (max(1, round(share * len(rows))) for share in shares[1:])
    train = max(1, len(rows) - tuning - test)
    return np.split(shuffled, [train, min(train + tuning, len(rows) - 1)])


def _prepared(data: Data, train: np.ndarray) -> np.ndarray:
    """Missing numbers filled with the training part's mean (0 where it has none); each feature scaled as the data ask for."""
    x = data.x
    gaps = np.isnan(x)
    if gaps.any():
        known = ~gaps[train]
        count = known.sum(0)
        mean = np.where(known, x[train], 0).sum(0) / np.maximum(count, 1)
        x = np.where(gaps, mean, x)
    if data.scaling == "none":
        return x
    mean, deviation = x[train].mean(0), x[train].std(0)
    still = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    scaled: np.ndarray = (x - mean) / np.where(still, 1.0, deviation)
    return scaled
