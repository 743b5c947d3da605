"""xent's own criteria, as the doctor reads them: which function was called with what, and the output that it is.

Stands on `bindings.torch`, whose functions announce themselves to PyTorch's modes as PyTorch's own do. A cost and an activation
are known by name there, so nothing about them has to be guessed from numbers.
"""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

from xent.bindings.torch import calling, criteria, functional
from xent.costs import Absolute, CrossEntropy, Exponential, Logistic, MarginCost, Quadratic, Smooth, SurprisalCost
from xent.costs import SymmetricCrossEntropy as Symmetric
from xent.errors import XentError
from xent.outputs import Output
from xent.outputs import output as output_of
from xent.outputs.smoothed import Smoothed

NAMES: dict[Any, str] = {
    functional.cross_entropy: "xent.torch.cross_entropy",
    calling.cross_entropy: "xent.cross_entropy",
    criteria.cost: "xent.torch.Criterion",
}


def bound(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of one of these by PyTorch's names, with the `output` that the call is and its class `axis`."""
    named = inspect.signature(func).bind(*args, **kwargs)
    named.apply_defaults()
    given: dict[str, Any] = {}
    for key, value in named.arguments.items():
        given |= value if key in ("more", "options") else {key: value}
    for old, new in (("z", "input"), ("y", "target"), ("logits", "input")):
        given[new] = given.pop(old, given.get(new))
    z = given["input"]
    if func is not criteria.cost:
        given["output"] = _cross_entropy(given)
        given["axis"] = -1 if given.get("axis") is None and func is calling.cross_entropy else given.get("axis")
    if isinstance(z, Tensor) and given.get("output") is not None and given["output"].activation.vector:
        axis = given.get("axis")
        given["axis"] = (1 if z.ndim > 1 else 0) if axis is None else axis % max(z.ndim, 1) if isinstance(axis, int) else None
    return given


def _cross_entropy(given: dict[str, Any]) -> Output | None:
    """The output that a call of cross-entropy is; None where the options are wrong, as the call itself will say."""
    smoothing = given.get("label_smoothing") or 0.0
    try:
        shape: Any = given.get("shape") or CrossEntropy()
        shape = output_of(shape, None if isinstance(shape, str) and "@" in shape else "softmax").cost
        return output_of(Smooth(shape, smoothing) if smoothing else shape, "softmax")
    except (XentError, TypeError, AttributeError):
        return None


def beneath(output: Output) -> Output:
    """The output without its smoothing."""
    return beneath(output.beneath) if isinstance(output, Smoothed) else output


def form(output: Output) -> str:
    """What an output does with (input, target), in the words of `sites`; own where none fits, and no rule looks."""
    cost, activation = beneath(output).cost, output.activation.name
    if isinstance(cost, Quadratic):
        return "squared"
    if isinstance(cost, Absolute):
        return "absolute"
    if isinstance(cost, MarginCost):
        return {Logistic: "logistic", Exponential: "exponential"}.get(type(cost), "hinge")
    if isinstance(cost, SurprisalCost | Symmetric):
        return {"softmax": "cross-entropy", "sigmoid": "bce-logits"}.get(activation, "own")
    return "own"


def final(z: Tensor, option: Any) -> Tensor:
    """The logits that the softmax sees, classes last: after softcap and temperature, over the classes that exist."""
    z = z[..., : option("valid_classes") or z.shape[-1]]
    cap = option("softcap")
    z = z if cap is None else cap * (z / cap).tanh().masked_fill(z == float("-inf"), float("-inf"))
    return z / (option("temperature") or 1.0)
