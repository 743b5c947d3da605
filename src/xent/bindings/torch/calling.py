"""Cross-entropy on PyTorch tensors, with the conventions of `xent.cross_entropy`. Here the path is chosen."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_variadic

from xent.arrays import Numbers
from xent.bindings.torch import attached, compiled, fused, states
from xent.ops import cpu, plain
from xent.ops.inputs import Problem, check_values, read
from xent.ops.options import Choices, Options


def cross_entropy(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> Any:
    """`xent.cross_entropy` for tensors, differentiable."""
    if has_torch_function_variadic(logits, target) and not torch.compiler.is_compiling():
        return handle_torch_function(cross_entropy, (logits, target), logits, target, **options)
    if torch.compiler.is_compiling():
        return compiled.cross_entropy(logits, target, dict(options))
    problem = _read(logits, target, options)
    given: Any = problem.options
    wanted = states.differentiated(problem.logits)
    if states.differentiated(problem.target, given.weight, given.denominator) or not (
        _fusable(problem) or (wanted and _slope_is_known(problem))
    ):
        cost, stats = _plainly(problem)
    else:
        cost, stats = attached.cost(problem) if wanted else fused.cost(problem)
    return (cost, stats) if problem.options.stats else cost


def cross_entropy_and_grad(logits: Numbers, target: Numbers, **options: Unpack[Choices]) -> tuple[Any, ...]:
    """`xent.cross_entropy_and_grad` for tensors: numbers, without a way back."""
    if torch.compiler.is_compiling():
        return compiled.cross_entropy_and_grad(logits, target, dict(options))
    problem = _read(logits, target, options)
    if _fusable(problem):
        cost, grad, stats = fused.cost_and_grad(problem)
    else:
        check_values(problem)
        with torch.no_grad():
            cost, grad, stats = plain.cross_entropy_and_grad(problem)
    grad = problem.back(grad)
    return (cost, grad, stats) if problem.options.stats else (cost, grad)


def _read(logits: Any, target: Any, options: Any) -> Problem:
    kept = all(v is None or isinstance(v, (str, int, float)) for v in options.values())
    return read(logits, target, _options(**options) if kept else Options.of(options))


@lru_cache(maxsize=64, typed=True)
def _options(**options: Any) -> Options:
    """Options are checked once: a training loop asks for the same at every step. No tensors: they would live as long as these."""
    return Options.of(options)


def _fusable(problem: Problem) -> bool:
    """Whether the kernel may be used: what it knows, in memory that it can read, while PyTorch only computes."""
    return cpu.knows(problem.options, problem.hard) and _computing(problem)


def _slope_is_known(problem: Problem) -> bool:
    """Whether the formula is one of xent's own, and autograd may be told its derivative; others may have parameters to learn."""
    return type(problem.options.shape).__module__.startswith("xent.") and _computing(problem)


def _computing(problem: Problem) -> bool:
    denominator: Any = problem.options.denominator
    return states.computing(problem.logits, problem.target, problem.weight, denominator)


def _plainly(problem: Problem) -> tuple[Tensor, dict[str, Tensor]]:
    """The formula, which PyTorch differentiates itself."""
    check_values(problem)
    cost, stats = plain.cross_entropy(problem)
    return cost, {name: value.detach() for name, value in stats.items()}
