"""What an output makes of a few errors: the samples of a page, and the numbers that its texts name."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from xent.explaining.parts import Sample
from xent.explaining.saying import number
from xent.outputs import Output, curves

BADLY = 0.98
"""The error that counts as badly wrong: the article's second start."""

NAMES = {
    "a": ("50", "90", "98", "999"),
    "p": ("50", "90", "98", "999"),
    "s": ("50", "90", "98", "999"),
    "distance": ("098", "10", "100"),
    "z": ("m4", "0", "4"),
}
"""What the samples of an output are called in the texts."""


def samples_of(shown: Output) -> tuple[Sample, ...]:
    """What it makes of each of a few errors."""
    at = curves.samples(shown)
    columns = (at.x, np.abs(at.error), at.cost, np.abs(at.delta), at.gain)
    return tuple(Sample(*map(float, row)) for row in zip(*columns, strict=True))


def sample_names(shown: Output) -> tuple[str, ...]:
    """What these are called in the texts."""
    axis = curves.axis(shown)
    return NAMES["distance" if axis == "a" and not shown.activation.squashed else axis]


def numbers_of(shown: Output) -> dict[str, str]:
    """The numbers that a text may name, as words."""
    found = {"target": number(curves.wrongest(shown))}
    for name, sample in zip(sample_names(shown), samples_of(shown), strict=True):
        for quantity in ("cost", "delta", "gain"):
            found[f"{quantity}_{name}"] = number(getattr(sample, quantity))
    return found


def badly_wrong(shown: Iterable[Output]) -> tuple[tuple[str, float], ...]:
    """The gain of each output at an error of 0.98 of its range, or at a distance of 0.98."""
    return tuple((str(o), samples_of(o)[[*map(int, sample_names(o))].index(98)].gain) for o in shown)
