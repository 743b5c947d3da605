"""An output along its answers: cost, slope, δ and gain at hard targets, for figures, for the terminal and for tables of numbers.

Where an answer can be badly wrong is a fact about the output, so the points stand here, beside the formulas that they ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float

from xent.activations import Identity
from xent.arrays import asked, quiet
from xent.costs import Labels, MarginCost
from xent.errors import UnknownNameError
from xent.outputs.base import Output

CLASSES = 3
SHARES = (0.5, 0.9, 0.98, 0.999)
"""How much of the range an answer is off by, where there is a range."""
DISTANCES = (0.98, 10.0, 100.0)
"""How far an answer is off, where there is no range."""
INPUTS = (-4.0, 0.0, 4.0)
"""Weighted inputs, where an answer may belong to none or to many of them."""
WAYS = ("answer", "input")
"""What the curves of several outputs are read along: each one's own axis, or the weighted input."""
FAR = 8.0
"""How far the weighted input goes to either side."""


@dataclass(frozen=True)
class Curve:
    """One hard target, and what the output says of each answer.

    `axis` is what x counts: the answer `a`; `p`, a softmax's probability of the right class (three classes, the other two
    equal); the score `s` of a margin; the weighted input `z`, of a softmax the logit of the right class less the two others.
    slope is ∂C/∂a, for a softmax that of the right class, as is delta.
    """

    axis: str
    target: float
    x: Float[np.ndarray, " n"]
    error: Float[np.ndarray, " n"]
    cost: Float[np.ndarray, " n"]
    slope: Float[np.ndarray, " n"]
    delta: Float[np.ndarray, " n"]
    gain: Float[np.ndarray, " n"]


def axis(output: Output) -> str:
    """What the answers of an output are read along.

    >>> from xent.outputs import output
    >>> [axis(output(name)) for name in ("quadratic", "focal", "hinge", "quadratic@identity", "quadratic@relu")]
    ['a', 'p', 's', 'a', 'z']
    """
    if output.activation.vector:
        return "p"
    if isinstance(output.cost, MarginCost):
        return "s"
    squashed = output.activation.squashed and output.activation.invertible
    return "a" if squashed or isinstance(output.activation, Identity) else "z"


def hard_targets(output: Output) -> tuple[float, ...]:
    """The hard targets of an output, the low one first; a softmax has one, the right class.

    >>> from xent.outputs import output
    >>> hard_targets(output("quadratic@tanh")), hard_targets(output("hinge")), hard_targets(output("absolute@identity"))
    ((-1.0, 1.0), (-1.0, 1.0), (0.0, 1.0))
    """
    if output.activation.vector:
        return (1.0,)
    allowed = output.cost.targets_on(output.activation)
    if isinstance(allowed, Labels):
        return tuple(float(y) for y in allowed.values)
    return (float(allowed.low), float(allowed.high)) if allowed.bounded else (0.0, 1.0)


def curve(output: Output, target: float, points: int = 400) -> Curve:
    """The output at a hard target, along all that it can answer.

    >>> from xent.outputs import output
    >>> drawn = curve(output("quadratic@sigmoid"), 0.0, points=3)
    >>> drawn.x.round(3).tolist(), drawn.gain.round(3).tolist()
    ([0.001, 0.5, 0.999], [0.001, 0.25, 0.001])
    """
    low, high = ends(output)
    return along(output, target, np.linspace(low, high, points))


def samples(output: Output) -> Curve:
    """The output at a few errors, from half wrong to badly wrong, at one hard target: SHARES of a range, or DISTANCES.

    Along the weighted input it is INPUTS.

    >>> from xent.outputs import output
    >>> samples(output("cross-entropy@sigmoid")).error.round(3).tolist()
    [0.5, 0.9, 0.98, 0.999]
    """
    target = wrongest(output)
    kind = axis(output)
    if kind == "p":
        x = [1 - share for share in SHARES]
    elif kind == "s":
        x = [-target * log(share / (1 - share)) for share in SHARES]
    elif kind == "z":
        x = list(INPUTS)
    elif output.activation.squashed:
        reach = output.activation.range
        x = [reach.low + share * (reach.high - reach.low) for share in SHARES]
    else:
        aim = float(output.cost.aim(np.asarray(target)))
        x = [aim + distance for distance in DISTANCES]
    return along(output, target, np.asarray(x))


def wrongest(output: Output) -> float:
    """The hard target that shows what happens when badly wrong: the low one, from which it gets worse to the right.

    Where the high one weighs more (rescaled-quadratic), or the low one is met by all negative inputs (ReLU), the high one.
    """
    high = output.cost.name == "rescaled-quadratic" or axis(output) == "z"
    return hard_targets(output)[-1 if high else 0]


def target_at(output: Output, share: float) -> float:
    """The target at a share of the way from the low hard target to the high one; of a softmax what the first class has of it.

    >>> from xent.outputs import output
    >>> target_at(output("quadratic@tanh"), 0.5), target_at(output("hinge"), 1.0)
    (0.0, 1.0)
    """
    if output.activation.vector:
        return share
    low, high = hard_targets(output)[0], hard_targets(output)[-1]
    return low + share * (high - low)


def along(output: Output, target: float, x: Float[np.ndarray, " n"]) -> Curve:
    """The output at given places of its axis."""
    kind = axis(output)
    with quiet():
        if kind == "p":
            others = np.log((1 - x) / (CLASSES - 1))
            return _of_softmax(output, target, np.stack([np.log(x), *[others] * (CLASSES - 1)], axis=-1), "p", x)
        return _of_one(output, target, output.activation.inverse(x) if kind == "a" else x, kind, x)


def along_inputs(output: Output, target: float, z: Float[np.ndarray, " n"]) -> Curve:
    """The output at given weighted inputs, whatever its axis.

    >>> from xent.outputs import output
    >>> along_inputs(output("quadratic@sigmoid"), 0.0, np.asarray([0.0])).gain
    array([0.25])
    """
    with quiet():
        if output.activation.vector:
            return _of_softmax(output, target, np.stack([z, *[np.zeros_like(z)] * (CLASSES - 1)], axis=-1), "z", z)
        return _of_one(output, target, z, "z", z)


def overlaid(output: Output, share: float, way: str = "answer", points: int = 401) -> Curve:
    """The output at a target between its hard ones, `share` of the way from low to high, read along one of WAYS.

    >>> from xent.outputs import output
    >>> overlaid(output("quadratic@tanh"), 0.5, "input", points=3).x
    array([-8.,  0.,  8.])
    """
    if way not in WAYS:
        raise UnknownNameError("way to read curves", way, WAYS)
    target = target_at(output, share)
    if way == "input":
        return along_inputs(output, target, np.linspace(-FAR, FAR, points))
    return along(output, target, np.linspace(*ends(output), points))


def _of_one(output: Output, target: float, z: Float[np.ndarray, " n"], kind: str, x: Float[np.ndarray, " n"]) -> Curve:
    y = np.full(x.shape, target)
    slope = asked(output.cost.slope, asked(output.activation, z), y)
    return Curve(kind, target, x, output.error(z, y), output.value(z, y), slope, output.delta(z, y), output.gain(z, y))


def _of_softmax(output: Output, target: float, z: Float[np.ndarray, "n k"], kind: str, x: Float[np.ndarray, " n"]) -> Curve:
    """The first class has `target` of the truth, the others share the rest; the error is what it lacks."""
    shares = np.asarray([target, *[(1 - target) / (CLASSES - 1)] * (CLASSES - 1)])
    y = np.zeros(x.shape, dtype=int) if target == 1 else shares * np.ones_like(z)
    slope = asked(output.cost.slope, asked(output.activation, z), shares * np.ones_like(z))[..., 0]
    error, delta = output.error(z, y)[..., 0], output.delta(z, y)[..., 0]
    return Curve(kind, target, x, -error, output.value(z, y), slope, delta, output.gain(z, y))


def ends(output: Output) -> tuple[float, float]:
    """The ends of the axis, drawn a little short of those that are only approached."""
    if axis(output) in "sz":
        return -4.0, 4.0
    reach = output.activation.range
    if reach.bounded:
        short = (reach.high - reach.low) / 1000
        return reach.low + short, reach.high - short
    far = float(getattr(output.cost, "M", 1.0))  # the farther of the two targets
    return -2.0 * far, 3.0 * far
