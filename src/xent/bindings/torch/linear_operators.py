"""Linear cross-entropy on the CPU as an operator that a compiler can place: chunks are hidden inside, no logits in the graph.

The gradients of a mean or a sum are made together with the cost, and handed out multiplied; where each row has a number of its
own a second operator makes them in the backward pass. What has to be seen by the compiler is the layer and the cost of its logits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear as linear_map

from xent.bindings.torch import chunks, compiled, operators, states
from xent.bindings.torch.operators import KINDS
from xent.ops.linear.inputs import Linear, read

OWN = 6
"""The arguments of the operators that are theirs alone; after them come those of cross-entropy's, `hidden` for its logits."""
ARGUMENTS = f"Tensor linear, Tensor? bias, int memory, bool by_hidden, bool by_weight, bool by_bias, {operators.ARGUMENTS}"


def linear_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, memory: int, options: Any) -> Any:
    """The cost, and the statistics if any are asked for, while torch.compile traces."""
    arguments = compiled.arguments_of(hidden, target, {**options, "axis": -1})
    if compiled.plainly(arguments):
        with states.no_autocast(hidden):
            logits = _logits(hidden, weight, bias)
        return compiled.cross_entropy(logits, target, {**options, "axis": -1})
    wants = [torch.is_grad_enabled() and x is not None and x.requires_grad for x in (hidden, weight, bias)]
    cost, stats, _ = cost_and_grads(weight, bias, memory, *wants, *arguments)
    return (cost, compiled.named(arguments, stats)) if stats else cost


def linear_cross_entropy_and_grad(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, memory: int, options: Any
) -> tuple[Any, ...]:
    """The cost, its gradients and the statistics, without a way back."""
    own = [weight, bias, memory, True, True, bias is not None, *compiled.arguments_of(hidden, target, {**options, "axis": -1})]
    own = [x.detach() if isinstance(x, Tensor) else x for x in own]
    cost, stats, grads = cost_and_grads(*own)
    grads = [g.to(hidden.dtype) for g in (grads or slopes(torch.ones_like(cost), *own))]
    found = cost, (grads[0], grads[1], grads[2] if len(grads) > 2 else None)
    return (*found, compiled.named(own, stats)) if stats else found


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """In the dtype computed in."""
    dtype = _computed(hidden)
    return linear_map(hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))


def _computed(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype is torch.float64 else torch.float32


def _at_once(arguments: Any) -> bool:
    """Whether the gradients that are wanted are made together with the cost."""
    return _reduction(arguments) != "none"


def _reduction(arguments: Any) -> str:
    return str(arguments[OWN + operators.TENSORS + 7])


def _linear(weight: Tensor, bias: Tensor | None, memory: int, *rest: Any) -> Linear:
    hidden, target, *others = rest[3:]
    return read(hidden, weight, target, bias, memory, replace(operators.chosen(*others), axis=None))


@torch.library.custom_op("xent::linear_cross_entropy", mutates_args=(), schema=f"({ARGUMENTS}) -> (Tensor, Tensor[], Tensor[])")
def cost_and_grads(*arguments: Any) -> Any:
    """The cost, the statistics, and the gradients that are wanted and can be made with it, in the dtype computed in."""
    linear, wants = _linear(*arguments), arguments[3:OWN]
    cost, stats, made = chunks.made(linear, wants if _at_once(arguments) else (False, False, False), None)
    return cost, [stats[name] for name in linear.each.stats], _shaped(made, arguments)


@torch.library.custom_op("xent::linear_cross_entropy_slopes", mutates_args=(), schema=f"(Tensor upstream, {ARGUMENTS}) -> Tensor[]")
def slopes(upstream: Tensor, *arguments: Any) -> Any:
    """The gradients that are wanted, upstream times."""
    return _shaped(chunks.made(_linear(*arguments), arguments[3:OWN], upstream)[2], arguments)


def _shaped(made: list[Tensor | None], arguments: Any) -> list[Tensor]:
    return [g.reshape(x.shape) for g, x in zip(made, _givers(arguments), strict=True) if g is not None]


def _givers(arguments: Any) -> tuple[Any, ...]:
    """hidden, weight and bias."""
    return arguments[OWN], arguments[0], arguments[1]


def _likes(arguments: Any) -> list[Tensor]:
    wanted = zip(_givers(arguments), arguments[3:OWN], strict=True)
    return [torch.empty_like(x, dtype=_computed(x), memory_format=torch.contiguous_format) for x, want in wanted if want]


@cost_and_grads.register_fake
def _(*arguments: Any) -> Any:
    hidden, rows, dtype = arguments[OWN], arguments[OWN].shape[:-1], _computed(arguments[OWN])
    names = [name for name in arguments[-2].split(",") if name]
    cost = hidden.new_empty(rows if _reduction(arguments) == "none" else (), dtype=dtype)
    stats = [hidden.new_empty(rows, dtype=KINDS.get(name, dtype)) for name in names]
    return cost, stats, _likes(arguments) if _at_once(arguments) else []


@slopes.register_fake
def _(upstream: Tensor, *arguments: Any) -> Any:
    return _likes(arguments)


def _keep(ctx: Any, inputs: Any, output: Any) -> None:
    tensors = *inputs[:2], *inputs[OWN : OWN + operators.TENSORS]
    ctx.save_for_backward(*tensors, *output[2])
    ctx.rest = inputs[2:OWN], inputs[OWN + operators.TENSORS :]


def _back(ctx: Any, upstream: Tensor, *_: Any) -> Any:
    weight, bias, *tensors = ctx.saved_tensors[: 2 + operators.TENSORS]
    made = ctx.saved_tensors[2 + operators.TENSORS :]
    own, rest = ctx.rest
    arguments = weight, bias, *own, *tensors, *rest
    wants = own[1:]
    if torch.is_grad_enabled():
        found = iter([g for g in chunks.differentiable(_linear(*arguments), wants, upstream) if g is not None])
    elif made:
        found = iter([torch.where(g == 0, g, g * upstream) for g in made])  # what is ignored stays 0, by inf or nan too
    else:
        found = iter(slopes(upstream, *arguments))
    grads = [next(found).reshape(x.shape).to(x.dtype) if want else None for x, want in zip(_givers(arguments), wants, strict=True)]
    return grads[1], grads[2], *[None] * len(own), grads[0], *[None] * (operators.TENSORS - 1 + len(rest))


torch.library.register_autograd("xent::linear_cross_entropy", _back, setup_context=_keep)
