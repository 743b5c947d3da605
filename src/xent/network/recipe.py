"""How a network is built and how it is taught, and the start that a seed draws: the choices that all lanes of a race share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from xent.activations import Activation
from xent.arrays import Array, hot
from xent.costs import Labels
from xent.errors import InputError, UnknownNameError
from xent.outputs import Output
from xent.outputs.naming import read_activation

OPTIMISERS = ("sgd", "momentum", "adam")

INITIALISATIONS: dict[str, Callable[[int, int], float]] = {
    "normal": lambda fan_in, fan_out: 1.0,
    "lecun": lambda fan_in, fan_out: fan_in**-0.5,
    "xavier": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "he": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    "zero": lambda fan_in, fan_out: 0.0,
}
"""The standard deviation of a weight. Biases start at 0, apart from `normal`, where they are drawn from N(0, 1) as well.

References: LeCun et al. (1998), "Efficient BackProp"; Glorot & Bengio (2010), equation 12; He et al. (2015), equation 10;
`normal` is that of Nielsen (2015), chapter 1.
"""


@dataclass(frozen=True)
class Recipe:
    """A fully connected network and the way it is taught.

    `sizes` are the units of each layer, inputs first and classes last; `hidden` is the hidden layers' activation. `l2` is added to
    the gradient as l2·w, for weights but not for biases; `momentum` is used by the optimiser of that name.

    >>> Recipe(sizes=(64, 30, 10)).parameters
    2260
    """

    sizes: tuple[int, ...]
    hidden: str = "sigmoid"
    init: str = "lecun"
    optimiser: str = "sgd"
    momentum: float = 0.9
    l2: float = 0.0
    batch: int = 10

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.sizes):
            raise InputError(f"a network has layers of at least one unit each, such as (64, 30, 10), but {self.sizes!r} came.")
        for kind, name, known in (("initialisation", self.init, INITIALISATIONS), ("optimiser", self.optimiser, OPTIMISERS)):
            if name not in known:
                raise UnknownNameError(kind, name, known)
        if self.activation.vector:
            raise InputError(f"hidden units answer one by one, and {self.hidden} does not: use sigmoid, tanh, relu or softplus.")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum is a number from 0 to below 1, but {self.momentum!r} came.")
        if not (isfinite(self.l2) and self.l2 >= 0):
            raise InputError(f"l2 is a number of at least 0, but {self.l2!r} came.")
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or self.batch < 1:
            raise InputError(f"a batch holds at least one sample, but batch = {self.batch!r} came.")

    @property
    def activation(self) -> Activation:
        """The hidden layers' activation."""
        return read_activation(self.hidden)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return sum((n + 1) * m for n, m in pairwise(self.sizes))


def start(recipe: Recipe, rng: np.random.Generator) -> list[Float[np.ndarray, "..."]]:
    """Weights and biases, [w₁, b₁, w₂, b₂, …], w of shape (inputs, units) and b of shape (1, units), drawn in float64."""
    drawn = []
    for n, m in pairwise(recipe.sizes):
        deviation = INITIALISATIONS[recipe.init](n, m)
        drawn += [deviation * rng.standard_normal((n, m)), (recipe.init == "normal") * rng.standard_normal((1, m))]
    return drawn


def ends(output: Output) -> tuple[float, float]:
    """The targets of a wrong class and of the right one, as the cost of an elementwise output takes them.

    >>> from xent.outputs import output
    >>> [ends(output(name)) for name in ("quadratic@sigmoid", "cross-entropy@tanh", "hinge", "quadratic@identity")]
    [(0.0, 1.0), (-1.0, 1.0), (-1.0, 1.0), (0.0, 1.0)]
    """
    allowed = output.cost.targets_on(output.activation)
    if isinstance(allowed, Labels):
        return float(allowed.values[0]), float(allowed.values[-1])
    return (float(allowed.low), float(allowed.high)) if allowed.bounded else (0.0, 1.0)


def targets(output: Output, labels: Array, like: Array, xp: Any) -> Array:
    """What `output` is taught for class indices: the indices for a softmax, else one number for each of `like`'s last axis."""
    if output.activation.vector:
        return labels
    low, high = ends(output)
    return xp.where(hot(labels, like, xp), high * xp.ones_like(like), low * xp.ones_like(like))
