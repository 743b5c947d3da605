"""Two classes drawn from normal distributions, with a dial for everything that makes a cost's life hard."""

from __future__ import annotations

import re
from math import isfinite

import numpy as np

from xent.data.table import Data
from xent.errors import InputError, UnknownNameError

NAMES = ("two-class",)

DIALS: dict[str, tuple[float, float, float, str]] = {
    "margin": (2.0, 0.0, 1e6, "distance between the two means, in standard deviations"),
    "imbalance": (0.5, 0.001, 0.999, "share of the second class"),
    "noise": (0.0, 0.0, 0.5, "share of labels that are exchanged"),
    "n": (1000, 12, 10_000_000, "rows"),
    "features": (2, 1, 100_000, "features, of which the first tells the classes apart"),
    "seed": (0, 0, 2**32 - 1, "what the rows are drawn with"),
}
"""Dial: (where it stands, least, greatest, meaning)."""

WHOLE = ("n", "features", "seed")


def load(text: str) -> Data:
    """The set that ``two-class(dial=number, …)`` describes.

    >>> len(load("two-class(margin=1, n=50)"))
    50
    """
    match = re.fullmatch(r"\s*two[-_]class\s*(?:\((.*)\))?\s*", text)
    if match is None:
        raise InputError(f"cannot read {text!r}: a synthetic set is written two-class(margin=2, imbalance=0.5, noise=0, n=1000).")
    dials = {name: standing for name, (standing, *_) in DIALS.items()}
    for part in filter(None, (p.strip() for p in (match[1] or "").split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in DIALS:
            raise UnknownNameError("dial of two-class", name, DIALS)
        dials[name] = _number(name, value if equals else "")
    return two_class(**dials)


def _number(name: str, text: str) -> float:
    _, low, high, meaning = DIALS[name]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value) or not low <= value <= high or (name in WHOLE and not value.is_integer()):
        kind = "a whole number" if name in WHOLE else "a number"
        raise InputError(f"two-class: {name} ({meaning}) is {kind} from {low:g} to {high:g}, but {text!r} came.")
    return value


def two_class(*, margin: float, imbalance: float, noise: float, n: float, features: float, seed: float) -> Data:
    """Rows of N(±margin/2, 1) in the first feature and N(0, 1) in the others; exact counts of either class and of wrong labels."""
    rows, width = int(n), int(features)
    rng = np.random.default_rng(int(seed))
    y = (np.arange(rows) < round(imbalance * rows)).astype(np.int64)
    x = rng.standard_normal((rows, width))
    x[:, 0] += margin * (y - 0.5)
    wrong = rng.permutation(rows)[: round(noise * rows)]
    y[wrong] = 1 - y[wrong]
    order = rng.permutation(rows)
    dials = {"margin": margin, "imbalance": imbalance, "noise": noise, "n": rows, "features": width, "seed": int(seed)}
    given = ", ".join(f"{name}={value:g}" for name, value in dials.items() if value != DIALS[name][0])
    notes = (("synthetic", {k: f"{v:g}" for k, v in dials.items()}),)
    name = f"two-class({given})" if given else "two-class"
    return Data(name, x[order], y[order], ("0", "1"), tuple(f"x{i + 1}" for i in range(width)), "none", notes)
