"""A cost tied into autograd: computed by the kernel, differentiated by the kernel, and by the plain formula beyond that.

What the kernel does not know is computed and differentiated by the plain formulas, of the cost and of its slope.

The gradient of a mean or a sum is made together with the cost, in one pass, and handed out at the first backward pass, multiplied
in place by what comes from above; so nothing is copied. Whoever goes back a second time, or wants second derivatives, has it
made anew from the logits, which are saved like any function's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import frexp, isfinite
from typing import Any

import torch
from torch import Tensor

from xent.arrays import quiet
from xent.bindings.torch import fused, states
from xent.ops import cpu, plain, reduction
from xent.ops.inputs import Problem, check_values


def cost(problem: Problem) -> tuple[Tensor, fused.Stats]:
    """The reduced cost, differentiable by the logits, and the statistics, which are not."""
    if not cpu.knows(problem.options, problem.hard):
        check_values(problem)
        with torch.no_grad():
            value, stats = plain.cross_entropy(problem)
        made = [value]
    elif at_once(problem.options.reduction, problem.logits.dtype) and not states.saved_elsewhere():
        value, grad, stats = fused.cost_and_grad(problem)
        made = [grad, value]
    else:
        value, stats = fused.cost(problem)
        made = [value]
    rest = problem.hard, problem.options, problem.xp
    return attach(problem.logits, (problem.target, problem.weight, rest, made)), stats


def at_once(reduction: str, dtype: torch.dtype) -> bool:
    """Whether the gradient may be made together with the cost, if hooks do not want to know of everything that is kept.

    Not where each row will be multiplied by a number of its own; not for float16, which has to be scaled before it is rounded.
    """
    return reduction != "none" and dtype is not torch.float16


class Attached(torch.autograd.Function):
    """logits ↦ a cost that is known.

    `made` holds the cost, and below it the gradient until that is handed out. What is no argument to PyTorch, it need not look at.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, known: tuple[Tensor, Any, Any, list[Tensor]]) -> Tensor:
        target, weight, ctx.rest, ctx.made = known
        ctx.save_for_backward(logits, target, weight)
        return ctx.made.pop()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        by_it = upstream[0]
        if torch.is_grad_enabled() or not states.computing(by_it):
            return differentiable(_whole(ctx), by_it), None
        try:
            grad = ctx.made.pop()
        except IndexError:
            problem = _whole(ctx)
            known = cpu.knows(problem.options, problem.hard)
            return fused.grad(problem, by_it) if known else differentiable(problem, by_it), None
        by = by_it.item()
        if by == 1:
            return grad, None
        if isfinite(by) and (grad.dtype is not torch.bfloat16 or abs(frexp(by)[0]) == 0.5):
            return grad.mul_(by), None
        return fused.grad(_whole(ctx), by_it, into=grad), None


attach: Callable[[Tensor, tuple[Tensor, Any, Any, list[Tensor]]], Tensor] = super(torch.autograd.Function, Attached).apply
"""Attached.apply for tensors with memory of their own, without its search for those that torch.func has left behind."""
Attached._backward_cls.apply = Attached.backward  # type: ignore[attr-defined]  # asked at once, not by a function that looks for it


def _whole(ctx: Any) -> Problem:
    logits, target, weight = ctx.saved_tensors
    hard, options, xp = ctx.rest
    return Problem(logits, target, hard, weight, options, xp)


def differentiable(problem: Problem, upstream: Tensor) -> Tensor:
    """The gradient by the logits as a formula that PyTorch differentiates and maps."""
    with quiet():
        by = reduction.scale(problem)
        by = upstream if by is None else upstream * by
        slope: Tensor = reduction.scaled(problem, plain.deltas(problem), by).to(problem.logits.dtype)
        return slope
