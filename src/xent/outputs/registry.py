"""What there is: the costs and activations by name, the closed form of each pair, and the catalogue of outputs."""

from __future__ import annotations

from typing import Any

from xent.activations import Activation, Identity, ReLU, Sigmoid, Softmax, Softplus, Squashing, Tanh, adopted_activation
from xent.costs import (
    Absolute,
    Cost,
    CrossEntropy,
    Exponential,
    Focal,
    GeneralizedLq,
    Hinge,
    Logistic,
    MarginCost,
    Poly,
    Quadratic,
    RescaledQuadratic,
    Smooth,
    SquaredHinge,
    SurprisalCost,
    SymmetricCrossEntropy,
    adopted_cost,
)
from xent.outputs import linear, softmaxed, squashed
from xent.outputs.base import Output
from xent.outputs.smoothed import Smoothed

ACTIVATIONS: dict[str, type[Activation]] = {a.name: a for a in (Sigmoid, Tanh, Softmax, Identity, Softplus, ReLU)}

COSTS: dict[str, type[Cost]] = {
    c.name: c
    for c in (
        Quadratic,
        CrossEntropy,
        Logistic,
        Focal,
        Poly,
        GeneralizedLq,
        SymmetricCrossEntropy,
        Absolute,
        RescaledQuadratic,
        Hinge,
        SquaredHinge,
        Exponential,
        Smooth,
    )
}

CLOSED_FORMS: list[tuple[type, type, type[Output]]] = [
    (Quadratic, Squashing, squashed.Quadratic),
    (Absolute, Squashing, squashed.Absolute),
    (CrossEntropy, Squashing, squashed.CrossEntropy),
    (SurprisalCost, Squashing, squashed.Surprisal),
    (SymmetricCrossEntropy, Squashing, squashed.Symmetric),
    (Quadratic, Softmax, softmaxed.Quadratic),
    (Absolute, Softmax, softmaxed.Absolute),
    (CrossEntropy, Softmax, softmaxed.CrossEntropy),
    (SurprisalCost, Softmax, softmaxed.Surprisal),
    (SymmetricCrossEntropy, Softmax, softmaxed.Symmetric),
    (Quadratic, Identity, linear.Quadratic),
    (RescaledQuadratic, Identity, linear.RescaledQuadratic),
    (Absolute, Identity, linear.Absolute),
    (MarginCost, Identity, linear.Margin),
]
"""The closed form of each pair, the more particular before the more general; every other pair has the chain rule."""


def pair(cost: Any, activation: Any) -> Output:
    """The output of a cost and an activation; an error says why where the two do not belong together."""
    unit = adopted_activation(activation)
    fitted = adopted_cost(cost).on(unit)
    if isinstance(fitted, Smooth):
        return Smoothed(fitted, unit, pair(fitted.cost, unit))
    for of_cost, of_activation, closed in CLOSED_FORMS:
        if isinstance(fitted, of_cost) and isinstance(unit, of_activation) and not _redefines(fitted, of_cost, "slope"):
            return Output(fitted, unit) if _redefines(unit, _of_xent(unit), "pullback") else closed(fitted, unit)
    return Output(fitted, unit)


def _redefines(part: Cost | Activation, base: type, derivative: str) -> bool:
    """Whether a subclass has a formula of its own, which a closed form would pass over."""
    return any(getattr(type(part), name) is not getattr(base, name) for name in ("__call__", derivative))


def _of_xent(unit: Activation) -> type:
    """Which of xent's activations it is, or builds on."""
    return next(kind for kind in type(unit).__mro__ if kind.__module__.startswith("xent."))


def catalogue() -> list[Output]:
    """Every output that xent has a closed form for, with the usual parameters.

    >>> [str(output) for output in catalogue()][:3]
    ['quadratic@sigmoid', 'quadratic@tanh', 'quadratic@softmax']
    """
    sigmoid, tanh, softmax, identity = Sigmoid(), Tanh(), Softmax(), Identity()
    pairs: list[tuple[Cost, tuple[Activation, ...]]] = [
        (Quadratic(), (sigmoid, tanh, softmax, identity)),
        (CrossEntropy(), (sigmoid, tanh, softmax)),
        (Logistic(), (identity,)),
        (Focal(), (sigmoid, softmax)),
        (Poly(), (sigmoid, softmax)),
        (GeneralizedLq(), (sigmoid, softmax)),
        (SymmetricCrossEntropy(), (sigmoid, softmax)),
        (Smooth(CrossEntropy()), (sigmoid, tanh, softmax)),
        (Absolute(), (sigmoid, tanh, softmax, identity)),
        (RescaledQuadratic(), (identity,)),
        (Hinge(), (identity,)),
        (SquaredHinge(), (identity,)),
        (Exponential(), (identity,)),
    ]
    return [pair(cost, activation) for cost, activations in pairs for activation in activations]
