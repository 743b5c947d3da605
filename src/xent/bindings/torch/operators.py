"""Cross-entropy on the CPU as an operator that a compiler can place, its gradient as a second one; inside, the kernel.

An operator takes tensors, numbers and strings. Targets are checked when it runs. The gradient is made in the backward pass from the
logits: to save it and to multiply it later would write it twice. Its own derivative is that of the plain formula.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from xent.bindings.torch import attached, fused
from xent.costs import Focal, GeneralizedLq, Poly, SurprisalCost
from xent.ops import cpu, plain
from xent.ops.inputs import Problem, check_values, read
from xent.ops.options import Options

USUAL = {
    "weight": None, "ignore_index": -100, "label_smoothing": 0.0, "z_loss": 0.0, "softcap": None, "temperature": 1.0, "shape": None,
    "reduction": "mean", "denominator": None, "on_empty": "nan", "valid_classes": None, "stats": (), "axis": None,
}  # fmt: skip
SHAPES: dict[type[SurprisalCost], str] = {Focal: "gamma", Poly: "epsilon", GeneralizedLq: "q"}
"""The φ that operators know, by name and parameter."""
TENSORS = 4
"""The first arguments of the operators: logits, target, weight and denominator; the others are numbers and strings."""
KINDS = {"rank": torch.int32, "correct": torch.bool}
"""The statistics that are not of the dtype computed in."""
ARGUMENTS = (
    "Tensor logits, Tensor target, Tensor? weight, Tensor? denominator, int ignore_index, float label_smoothing, float z_loss, "
    "float? softcap, float temperature, str? shape, float? parameter, str reduction, str on_empty, int? valid_classes, str stats, "
    "float? divisor"
)


@lru_cache(maxsize=64, typed=True)
def _options(*rest: Any) -> Options:
    ignore_index, label_smoothing, z_loss, softcap, temperature, shape, parameter, *others = rest
    reduction, on_empty, valid_classes, stats, divisor = others
    if parameter is not None:
        shape = next(kind(**{name: parameter}) for kind, name in SHAPES.items() if kind.name == shape)
    return Options(
        ignore_index=ignore_index, label_smoothing=label_smoothing, z_loss=z_loss, softcap=softcap, temperature=temperature,
        shape=shape, reduction=reduction, on_empty=on_empty, valid_classes=valid_classes, denominator=divisor, axis=-1,
        stats=tuple(name for name in stats.split(",") if name),
    )  # fmt: skip


def problem(*arguments: Any) -> Problem:
    """The arguments of an operator as a problem."""
    logits, target, *others = arguments
    return read(logits, target, chosen(*others))


def chosen(weight: Tensor | None, denominator: Tensor | None, *rest: Any) -> Options:
    """The arguments of an operator that follow logits and target, as options."""
    options: Any = _options(*rest)
    given = {"weight": weight, "denominator": denominator}
    given = {name: value for name, value in given.items() if value is not None}
    return Options(**{**{name: getattr(options, name) for name in USUAL}, **given}) if given else options


@torch.library.custom_op("xent::cross_entropy", mutates_args=(), schema=f"({ARGUMENTS}) -> (Tensor, Tensor[])")
def cost(*arguments: Any) -> Any:
    """The cost and the statistics."""
    asked = problem(*arguments)
    with torch.no_grad():
        if _fusable(asked):
            value, stats = fused.cost(asked)
        else:
            check_values(asked)
            value, stats = plain.cross_entropy(asked)
    return value, [stats[name] for name in asked.options.stats]


@torch.library.custom_op("xent::cross_entropy_slope", mutates_args=(), schema=f"(Tensor upstream, {ARGUMENTS}) -> Tensor")
def slope(upstream: Tensor, *arguments: Any) -> Any:
    """The gradient by the logits, upstream times."""
    asked = problem(*arguments)
    if _fusable(asked):
        return fused.grad(asked, upstream)
    with torch.no_grad():
        return torch.empty_like(asked.logits).copy_(attached.differentiable(asked, upstream))


def _fusable(asked: Problem) -> bool:
    return asked.logits.device.type == "cpu" and cpu.knows(asked.options, asked.hard)


@cost.register_fake
def _(*arguments: Any) -> Any:
    asked = problem(*arguments)
    logits, options = asked.logits, asked.options
    rows = logits.shape[:-1]
    value = logits.new_empty(rows if options.reduction == "none" else (), dtype=asked.dtype)
    return value, [logits.new_empty(rows, dtype=KINDS.get(name, asked.dtype)) for name in options.stats]


@slope.register_fake
def _(upstream: Tensor, *arguments: Any) -> Any:
    return torch.empty_like(arguments[0])


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:TENSORS])
    ctx.rest = inputs[TENSORS:]


def _back(ctx: Any, upstream: Tensor, _: Any) -> Any:
    return (slope(upstream, *ctx.saved_tensors, *ctx.rest), *[None] * (len(ctx.rest) + TENSORS - 1))


def _keep_slope(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[: TENSORS + 1])
    ctx.rest = inputs[TENSORS + 1 :]


def _back_slope(ctx: Any, beyond: Tensor) -> Any:
    """The second derivative, of the formula."""
    again = torch.is_grad_enabled()
    upstream, logits, *others = ctx.saved_tensors
    with torch.enable_grad():
        upstream, logits = (x if x.requires_grad else x.detach().requires_grad_() for x in (upstream, logits))
        upstream, logits = upstream.view_as(upstream), logits.view_as(logits)
        formula = attached.differentiable(problem(logits, *others, *ctx.rest), upstream)
        first, second = torch.autograd.grad(formula, (upstream, logits), beyond, create_graph=again)
    return (first, second, *[None] * (len(ctx.rest) + TENSORS - 1))


torch.library.register_autograd("xent::cross_entropy", _back, setup_context=_keep)
torch.library.register_autograd("xent::cross_entropy_slope", _back_slope, setup_context=_keep_slope)
