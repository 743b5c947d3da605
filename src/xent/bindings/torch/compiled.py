"""While torch.compile traces: cross-entropy stands in the graph as an operator, or as the plain formula.

The operator's insides, the CPU kernel, are hidden from the compiler, so compiling costs nothing and running is as fast as eager.
Where derivatives are carried along (torch.func, forward mode), where a target or weight is differentiated, on other devices and in
export the plain formula goes into the graph instead. Everything here is traced, so it is made of what Dynamo understands: tensors,
numbers and strings.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xent.bindings.torch import operators, states
from xent.costs import CrossEntropy
from xent.errors import InputError, UnknownNameError


def cross_entropy(logits: Tensor, target: Tensor, options: dict[str, Any]) -> Any:
    """The cost, and the statistics if any are asked for."""
    arguments = arguments_of(logits, target, options)
    if plainly(arguments):
        from xent.bindings.torch import traced

        cost, stats = traced.cross_entropy(*arguments)
    else:
        cost, stats = operators.cost(*arguments)
    return (cost, named(arguments, stats)) if stats else cost


def cross_entropy_and_grad(logits: Tensor, target: Tensor, options: dict[str, Any]) -> tuple[Any, ...]:
    """The cost, its gradient by the logits and the statistics, without a way back."""
    arguments = [x.detach() if isinstance(x, Tensor) else x for x in arguments_of(logits, target, options)]
    cost, stats = operators.cost(*arguments)
    upstream = torch.ones_like(cost)
    grad = operators.slope(upstream, *arguments)
    axis = options.get("axis")
    grad = grad if axis is None else grad.movedim(-1, axis)
    return (cost, grad, named(arguments, stats)) if stats else (cost, grad)


def named(arguments: list[Any], stats: list[Tensor]) -> dict[str, Tensor]:
    """The statistics by their names."""
    return {name: stats[i] for i, name in enumerate(arguments[-2].split(","))}


def arguments_of(logits: Tensor, target: Tensor, options: dict[str, Any]) -> list[Any]:
    """What the operators of cross-entropy take."""
    for name in options:
        if name not in operators.USUAL:
            raise UnknownNameError("option of cross_entropy", name, operators.USUAL)
    o = {**operators.USUAL, **options}
    axis, stats, denominator = o["axis"], o["stats"], o["denominator"]
    shape, parameter = _shape(o["shape"])
    if axis is None and logits.ndim > 2:
        raise InputError(f"logits with {logits.ndim} axes: say which one holds the classes, axis=-1 for the last.")
    if axis is not None:
        target = target.movedim(axis, -1) if target.ndim == logits.ndim and target.is_floating_point() else target
        logits = logits.movedim(axis, -1)
    weight, by_tensor = o["weight"], isinstance(denominator, Tensor)
    if isinstance(weight, (list, tuple)):
        weight = torch.tensor(weight, dtype=torch.float64, device=logits.device)
    return [
        logits, target, weight, denominator if by_tensor else None, o["ignore_index"], float(o["label_smoothing"]),
        float(o["z_loss"]), o["softcap"], float(o["temperature"]), shape, parameter, o["reduction"], o["on_empty"],
        o["valid_classes"], stats if isinstance(stats, str) else ",".join(stats), None if by_tensor else denominator,
    ]  # fmt: skip


def _shape(shape: Any) -> tuple[str | None, float | None]:
    """φ's name and parameter, since an operator takes no objects; apart, since a compiler may hold numbers open."""
    if shape is None or isinstance(shape, str):
        return shape, None
    if type(shape) is CrossEntropy:
        return None, None
    for kind, parameter in operators.SHAPES.items():
        if type(shape) is kind:
            return kind.name, getattr(shape, parameter)
    raise InputError("shape= under torch.compile is one of xent's costs or its name: one of your own runs uncompiled.")


def plainly(arguments: list[Any]) -> bool:
    """Whether the formula itself goes into the graph."""
    logits, *others = (x for x in arguments[: operators.TENSORS] if x is not None)
    if states.transformed() or torch.compiler.is_exporting() or logits.device.type != "cpu":
        return True
    return torch.is_grad_enabled() and any(x.requires_grad for x in others)
