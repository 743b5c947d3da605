"""Linear cross-entropy on PyTorch tensors: the fused chunks on the tensors' own memory, tied into autograd.

The gradients that are wanted, by hidden, weight and bias, are made together with the cost of a mean or a sum, and handed out at the
first backward pass; 16-bit ones are held in float32 until then, and rounded once. Whoever goes back a second time has them made
anew; who wants second derivatives or a transformation gets the plain formula, which PyTorch differentiates itself. A compiler sees
an operator (`linear_operators`); whatever watches each operation sees the layer and its cost.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from math import isfinite
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.nn.functional import linear as linear_map
from torch.overrides import handle_torch_function, has_torch_function_variadic
from torch.utils.checkpoint import checkpoint

from xent.arrays import Numbers, quiet, widen
from xent.bindings.torch import chunks, linear_operators, states
from xent.bindings.torch.calling import cross_entropy as cost_of_logits
from xent.ops import plain as plain_costs
from xent.ops import reduction
from xent.ops.linear import plain
from xent.ops.linear.inputs import MEMORY, Linear, check, read
from xent.ops.options import Choices, Options


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Numbers,
    /,
    bias: Tensor | None = None,
    *,
    memory: int = MEMORY,
    **options: Unpack[Choices],
) -> Any:
    """`xent.linear_cross_entropy` for tensors, differentiable."""
    given = hidden, weight, target, bias
    if announces(*given):
        return handle_torch_function(linear_cross_entropy, given, hidden, weight, target, bias, memory=memory, **options)
    if torch.compiler.is_compiling():
        h, w, b = _widest(hidden, weight, bias)
        return linear_operators.linear_cross_entropy(h, w, b, target, memory, dict(options))
    linear = _read(hidden, weight, target, bias, memory, options)
    if states.watched():  # who looks at every operation finds the layer and its cost
        wide: list[Any] = [None if x is None else widen(x, linear.whole.xp) for x in (hidden, weight, bias)]
        with states.no_autocast(hidden):
            logits = linear_map(*wide)
        told: Any = {**options, "axis": -1}
        return cost_of_logits(logits, target, **told)
    chosen: Any = linear.whole.options
    if not _slope_is_known(linear) or states.differentiated(linear.target, chosen.weight, chosen.denominator):
        cost, stats = _plainly(linear)
    else:
        arrays = linear.hidden, linear.weight, linear.bias
        cost, stats, made = chunks.made(linear, _wants(linear), None)
        if states.differentiated(*arrays):
            cost = Attached.apply(*arrays, (linear, cost, made))  # type: ignore[no-untyped-call]
    return (cost, stats) if linear.each.stats else cost


def announces(*given: Any) -> bool:
    """Whether a mode or a subclass is told of the call; who looks at every operation is told of the layer and its cost instead."""
    return not torch.compiler.is_compiling() and not states.watched() and has_torch_function_variadic(*given)


def linear_cross_entropy_and_grad(
    hidden: Tensor,
    weight: Tensor,
    target: Numbers,
    /,
    bias: Tensor | None = None,
    *,
    memory: int = MEMORY,
    **options: Unpack[Choices],
) -> tuple[Any, ...]:
    """`xent.linear_cross_entropy_and_grad` for tensors: numbers, without a way back."""
    if torch.compiler.is_compiling():
        h, w, b = _widest(hidden, weight, bias)
        return linear_operators.linear_cross_entropy_and_grad(h, w, b, target, memory, dict(options))
    with torch.no_grad():
        linear = _read(hidden, weight, target, bias, memory, options)
        wants = (True, True, linear.bias is not None)
        cost, stats, made = chunks.made(linear, wants, None)
        grads = [None if g is None else g.to(hidden.dtype) for g in made]
        grads[0] = None if grads[0] is None else grads[0].reshape(hidden.shape)
    return (cost, tuple(grads), stats) if linear.each.stats else (cost, tuple(grads))


def _read(hidden: Tensor, weight: Tensor, target: Any, bias: Tensor | None, memory: int, options: Any) -> Linear:
    hidden, weight, bias = _widest(hidden, weight, bias)
    return read(hidden, weight, target, bias, memory, Options.of(options))


def _widest(*arrays: Any) -> Any:
    """Under autocast what is of several dtypes is taken in the widest."""
    tensors = [x for x in arrays if isinstance(x, Tensor)]
    device = tensors[0].device.type if tensors else "cpu"
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return arrays
    widest = reduce(torch.promote_types, [x.dtype for x in tensors])
    return tuple(x.to(widest) if isinstance(x, Tensor) else x for x in arrays)


def _slope_is_known(linear: Linear) -> bool:
    """Whether the formula is one of xent's own, and autograd may be told its derivative; others may have parameters to learn."""
    shape = linear.whole.options.shape
    return (shape is None or type(shape).__module__.startswith("xent.")) and states.concrete(*chunks.tensors(linear))


def _wants(linear: Linear) -> plain.Wants:
    """The gradients that are made with the cost.

    None where each row will be multiplied by a number of its own, nor where hooks want to know of everything that is kept.
    """
    if linear.whole.options.reduction == "none" or states.saved_elsewhere():
        return False, False, False
    a, b, c = (states.differentiated(x) for x in (linear.hidden, linear.weight, linear.bias))
    return a, b, c


def _plainly(linear: Linear) -> tuple[Tensor, dict[str, Tensor]]:
    """The formula, chunk by chunk, which PyTorch differentiates itself; where it can, it makes a chunk anew for that."""
    check(linear)

    def chunk(rows: slice) -> tuple[Tensor, dict[str, Tensor]]:
        with states.no_autocast(linear.hidden):
            part, _ = plain.of_rows(linear, rows)
        return plain_costs.costs(part), {name: v.detach() for name, v in plain_costs.statistics(part).items()}

    anew = torch.is_grad_enabled() and states.concrete(*chunks.tensors(linear))
    run = partial(checkpoint, chunk, use_reentrant=False, preserve_rng_state=False) if anew else chunk
    parts: list[Any] = [run(rows) for rows in plain.chunks(linear)]
    with quiet():
        cost = reduction.reduced(linear.whole, torch.cat([costs for costs, _ in parts]).reshape(linear.lead))
    return cost, {name: torch.cat([some[name] for _, some in parts]).reshape(linear.lead) for name in linear.each.stats}


Known = tuple[Linear, Tensor, list[Tensor | None]]
"""What the forward pass found: the cost, and the gradients that were made with it."""


class Attached(torch.autograd.Function):
    """(hidden, weight, bias) ↦ a cost that is known."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, known: Known) -> Tensor:
        linear, cost, made = known
        ctx.save_for_backward(hidden, weight, bias, linear.target, linear.whole.target, linear.whole.weight)
        bare = replace(linear.whole, logits=None, target=None, weight=None)
        ctx.bare = Linear(None, None, None, None, bare, linear.memory)
        ctx.shape, ctx.made = tuple(linear.whole.logits.shape), made if any(g is not None for g in made) else None
        return cost

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        linear = _whole(ctx)
        wants = tuple(ctx.needs_input_grad[:3])
        if torch.is_grad_enabled() or not states.concrete(upstream[0]):
            return (*chunks.differentiable(linear, wants, upstream[0]), None)
        made, ctx.made = ctx.made, None
        if made is None or not isfinite(by := float(upstream[0])):  # what is ignored stays 0, by inf or nan too
            _, _, made = chunks.made(linear, wants, upstream[0])
        elif by != 1:
            made = [None if g is None else g.mul_(by) for g in made]
        return (*(None if g is None else g.to(linear.weight.dtype) for g in made), None)


def _whole(ctx: Any) -> Linear:
    hidden, weight, bias, rows, target, by_class = ctx.saved_tensors
    shape = torch.zeros(1, dtype=hidden.dtype, device=hidden.device).expand(ctx.shape)
    whole = replace(ctx.bare.whole, logits=shape, target=target, weight=by_class)
    return Linear(hidden, weight, bias, rows, whole, ctx.bare.memory)
