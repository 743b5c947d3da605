"""Names of outputs, `cost@activation` with parameters in parentheses: read here, written by `str`.

output     = cost [ "@" activation ]
cost       = name [ "(" argument { "," argument } ")" ]
argument   = cost | name "=" number
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from xent.activations import Activation
from xent.costs import Cost, adopted_cost
from xent.costs.base import parameters
from xent.errors import InputError, UnknownNameError
from xent.outputs.base import Output
from xent.outputs.registry import ACTIVATIONS, COSTS, pair

MEANT = {
    "mse": "quadratic", "squared-error": "quadratic", "l2": "quadratic", "brier": "quadratic",
    "mae": "absolute", "l1": "absolute",
    "ce": "cross-entropy", "bce": "cross-entropy", "nll": "cross-entropy", "log-loss": "cross-entropy",
    "crossentropy": "cross-entropy", "gce": "lq", "sce": "symmetric-cross-entropy", "label-smoothing": "smooth",
    "linear": "identity", "none": "identity", "logsoftmax": "softmax", "adaboost": "exponential",
}  # fmt: skip
"""Other words for the same things: not accepted, so that a name has one spelling, but understood in the error."""

NONE: Mapping[str, Cost] = MappingProxyType({})
"""No costs but xent's own."""


def output(cost: Any, activation: Any = None) -> Output:
    """The output with a name, or of a cost and an activation, each a name or an object.

    A user's own objects are as good as built-in ones: a cost has `__call__(a, y)` and `slope(a, y)`, an activation `__call__(z)`
    and `pullback(a, g)`; subclasses of `xent.Cost` and `xent.Activation` also say what they accept. A bare cost takes its usual
    activation. Unknown names raise UnknownNameError, pairs that do not belong together PairError.

    >>> print(output("quadratic@sigmoid"), output("focal"), output("cross-entropy", "tanh"))
    quadratic@sigmoid focal(gamma=2)@softmax cross-entropy@tanh
    >>> output("cross-entropy@identity")
    Traceback (most recent call last):
    ...
    xent.errors.PairError: cross-entropy@identity is no output: cross-entropy takes the logarithm of a probability, but \
identity answers with numbers in (−∞, ∞). Use cross-entropy@sigmoid (one probability) or cross-entropy@softmax (one per class); \
for labels ±1 on a linear output use logistic@identity.
    """
    if isinstance(cost, Output):
        if activation is not None:
            raise InputError(f"{cost} has an activation already, but {activation} came too: give one of the two.")
        return cost
    if isinstance(cost, str):
        cost_name, at, activation_name = cost.partition("@")
        if at and activation is not None:
            raise InputError(f"{cost!r} names an activation already, but {activation} came too: give one of the two.")
        cost, activation = read_cost(cost_name), activation_name if at else activation
    return _paired(cost, activation)


def named(text: str, own: Mapping[str, Cost] = NONE) -> Output:
    """The output with a name, where a user's own costs have names too.

    >>> from xent.costs import Quadratic
    >>> print(named("smooth(mine, epsilon=0.2)@sigmoid", {"mine": Quadratic()}))
    smooth(quadratic, epsilon=0.2)@sigmoid
    """
    cost_name, at, activation_name = text.partition("@")
    return _paired(read_cost(cost_name, own), activation_name if at else None)


def _paired(cost: Any, activation: Any) -> Output:
    cost = adopted_cost(cost)
    if activation is None:
        activation = cost.usual
    return pair(cost, read_activation(activation) if isinstance(activation, str) else activation)


def read_activation(text: str) -> Activation:
    """The activation with a name.

    >>> read_activation("tanh")
    Tanh()
    """
    name = canonical(text)
    if name not in ACTIVATIONS:
        raise UnknownNameError("activation", text.strip(), ACTIVATIONS, _meant(name, ACTIVATIONS))
    return ACTIVATIONS[name]()


def read_cost(text: str, own: Mapping[str, Cost] = NONE) -> Cost:
    """The cost with a name, its parameters in parentheses; `own` are a user's costs, by names in small letters.

    >>> read_cost("smooth(focal(gamma=1.5), epsilon=0.2)").epsilon
    0.2
    """
    match = re.fullmatch(r"\s*([\w\-. ]*?)\s*(?:\((.*)\))?\s*", text, flags=re.DOTALL)
    if match is None or not match[1]:
        raise InputError(f"cannot read {text.strip()!r} as a cost: expected a name such as quadratic, or focal(gamma=2).")
    name, arguments = canonical(match[1]), match[2]
    known = {**COSTS, **own}
    if name not in known:
        raise UnknownNameError("cost", match[1], known, _meant(name, known))
    mine = own.get(name)
    made = COSTS[name] if mine is None else type(mine)
    given = [_argument(made, name, a, own) for a in split(arguments)] if arguments and arguments.strip() else []
    names = [key for key, _ in given]
    for key in names:
        if names.count(key) > 1:
            raise InputError(f"{text.strip()}: {key} is given twice.")
    if mine is not None:
        return _other(mine, name, dict(given)) if given else mine
    missing = [f.name for f in parameters(made) if f.type == "Cost" and f.name not in names]
    if missing:
        raise InputError(f"{name} wraps another cost: write {name}(cross-entropy, epsilon=0.1), for instance.")
    return made(**dict(given))


def _other(mine: Cost, name: str, given: dict[str, Any]) -> Cost:
    """A user's own cost with other parameters; what its own code says against them is said as a wrong input."""
    whole = {key for key, value in given.items() if type(getattr(mine, key)) is int and value == int(value)}
    made: Any = mine
    try:
        other: Cost = replace(made, **{key: int(value) if key in whole else value for key, value in given.items()})
    except InputError:
        raise
    except Exception as error:  # its own code may raise anything
        raise InputError(f"{name} does not take these parameters ({type(error).__name__}: {error}).") from error
    return other


def split(text: str) -> list[str]:
    """A list split at the commas that stand outside parentheses.

    >>> split("quadratic, smooth(focal(gamma=2), epsilon=0.1), hinge")
    ['quadratic', 'smooth(focal(gamma=2), epsilon=0.1)', 'hinge']
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth != 0:
        raise InputError(f"the parentheses of {text!r} do not match.")
    return [part.strip() for part in parts]


def _argument(made: type[Cost], cost: str, text: str, own: Mapping[str, Cost]) -> tuple[str, Any]:
    """One argument of a cost: its parameter's name and value."""
    known = {f.name: f for f in parameters(made)}
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or "(" in key:
        wraps = [f.name for f in known.values() if f.type == "Cost"]
        if wraps:
            return wraps[0], read_cost(text, own)
        raise InputError(f"{cost}: parameters are written name=number, such as {_example(known)}, but {text!r} came.")
    if key not in known:
        raise UnknownNameError(f"parameter of {cost}", key, known) if known else InputError(f"{cost} has no parameters.")
    try:
        return key, float(value)
    except ValueError:
        raise InputError(f"{cost}: {key} is a number, but {value!r} came.") from None


def _example(known: dict[str, Any]) -> str:
    defaults = {name: field.default if isinstance(field.default, int | float) else 1 for name, field in known.items()}
    return ", ".join(f"{name}={default:g}" for name, default in defaults.items()) or "nothing: it has none"


def canonical(name: str) -> str:
    """A name as it is looked up: small letters, hyphens."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def _meant(name: str, known: Mapping[str, Any]) -> list[str]:
    return [MEANT[name]] if MEANT.get(name) in known else []
