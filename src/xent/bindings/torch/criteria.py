"""The cost of any output, tied into autograd: δ in closed form for the first derivative, the formula of the value beyond that."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_variadic

from xent.bindings.torch import calling, states
from xent.errors import InputError, XentError
from xent.ops.options import NEVER
from xent.outputs import Output
from xent.outputs import output as output_of
from xent.outputs.smoothed import Smoothed
from xent.outputs.softmaxed import Surprisal

REDUCTIONS = ("mean", "sum", "none", "batchmean")


def cost(z: Tensor, y: Tensor, output: Output, name: str, reduction: str, axis: int | None) -> Tensor:
    """The reduced cost; the name is `name_of(output)`."""
    if has_torch_function_variadic(z, y) and not torch.compiler.is_compiling():
        told: Tensor = handle_torch_function(cost, (z, y), z, y, output=output, name=name, reduction=reduction, axis=axis)
        return told
    options = _options(output)
    if options is not None:
        asked = "sum" if reduction == "batchmean" else reduction
        value: Tensor = calling.cross_entropy(z, y, axis=axis, reduction=asked, ignore_index=NEVER, **options)  # type: ignore[arg-type]
        return value / len(z) if reduction == "batchmean" and z.ndim > 1 else value
    if torch.compiler.is_compiling():
        from xent.bindings.torch import traced

        values: Tensor = traced.value(name, z, y, axis)
    else:
        values = _values(output, z, y, axis)
    if reduction == "none":
        return values
    if reduction == "mean":
        return values.mean()
    if reduction not in REDUCTIONS:  # set after the module was made
        raise InputError(f"reduction is one of {', '.join(REDUCTIONS)}, but {reduction!r:.60} came.")
    return values.sum() if reduction == "sum" else values.sum() / (len(values) if values.ndim else 1)


OWN: WeakValueDictionary[str, Output] = WeakValueDictionary()
"""Outputs of the users' own, while they live, by a name that stands for one of them and never for another."""
_NUMBERS = count()


def name_of(output: Output) -> str:
    """A name that a compiler can hold: what reads back to this output, or for a cost of the user's own one made up here."""
    with suppress(XentError):
        if output_of(str(output)) == output:
            return str(output)
    name = f"own {next(_NUMBERS)}"
    OWN[name] = output
    return name


def named(name: str) -> Output:
    """The output with this name."""
    return OWN.get(name) or output_of(name)


def _options(output: Output) -> dict[str, Any] | None:
    """The options with which cross-entropy on logits is this output; None where it is not."""
    if isinstance(output, Smoothed):
        inner = _options(output.beneath)
        return None if inner is None else inner | {"label_smoothing": output.cost.epsilon}
    return {"shape": output.cost} if isinstance(output, Surprisal) else None


def _values(output: Output, z: Tensor, y: Tensor, axis: int | None) -> Tensor:
    """The values, one a sample; with δ for autograd where it may be told."""
    if not states.computing(z, y) or not states.differentiated(z) or states.differentiated(y):
        values: Tensor = output.value(z, y, axis=axis)
    else:
        values = _Valued.apply(z, y, output, axis)  # type: ignore[no-untyped-call]
    return values


class _Valued(torch.autograd.Function):
    """z ↦ value, whose derivative is δ."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, output: Output, axis: int | None) -> Tensor:
        ctx.save_for_backward(z, y)
        ctx.output, ctx.axis = output, axis
        values: Tensor = output.value(z, y, axis=axis)
        return values

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (z, y), output, axis = ctx.saved_tensors, ctx.output, ctx.axis
        by = upstream[0] if axis is None else upstream[0].unsqueeze(axis)
        if torch.is_grad_enabled():  # for a derivative of the derivative
            return (output.delta(z.to(by.dtype), y, axis=axis) * by).to(z.dtype), None, None, None
        with torch.enable_grad():  # for a user's own slope that asks autograd for it
            delta = output.delta(z.detach().to(by.dtype), y.detach(), axis=axis).detach()
        return (delta * by).to(z.dtype), None, None, None
