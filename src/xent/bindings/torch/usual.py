"""The usual batch without ceremony: class indices on logits of shape (N, K), by `ops.cpu_usual`.

At 32 × 10 the kernel takes 4 µs, PyTorch's own cost 6 and its way through autograd 30: nothing may be looked at twice here. What
follows from shapes, dtypes and options is worked out once and kept. Whatever is out of the ordinary, a wrong target included, is
left to the way for all, which says what is wrong.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from xent.bindings.torch import fused, states
from xent.bindings.torch.attached import at_once, attach
from xent.errors import XentError
from xent.memory import STORAGE, computed
from xent.ops import cpu_batch, cpu_columns, cpu_usual
from xent.ops.inputs import read
from xent.ops.options import Options


class Known(NamedTuple):
    """What is known of a batch before its numbers are."""

    plan: cpu_usual.Plan
    cost: Tensor
    """One like it."""
    rest: tuple[bool, Options, Any]
    """What makes a `Problem` of the tensors."""
    at_once: bool
    """Whether the gradient is made together with the cost, if hooks do not want to know of it."""


def cost(
    z: Tensor,
    y: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor | None:
    """The cost of logits (N, K) or (K,), tied into autograd; None where it has to go the way for all."""
    if not (states.ordinary(z) and states.ordinary(y)) or z.is_neg() or not y.is_contiguous():
        return None
    if states.transformed() or states.watched():
        return None
    try:
        known = _known(z.shape, z.stride(), z.dtype, y.shape, y.dtype, ignore_index, reduction, label_smoothing)
    except TypeError:  # something that cannot be kept came for a number
        return None
    if known is None or (weight is not None and not _fits(weight, known)):
        return None
    plan, like, rest, once = known
    wanted = z.requires_grad and torch.is_grad_enabled()
    grad = fused.fresh(z) if wanted and once and not states.saved_elsewhere() else None
    value = torch.empty_like(like)
    weight_at, grad_at = 0 if weight is None else weight.data_ptr(), 0 if grad is None else grad.data_ptr()
    if not cpu_usual.run(plan, z.data_ptr(), y.data_ptr(), weight_at, value.data_ptr(), grad_at):
        return None
    if not wanted:
        return value
    return attach(z, (y, weight, rest, [value] if grad is None else [grad, value]))


def _fits(weight: Any, known: Known) -> bool:
    """Whether the kernel can read the weights, and nobody wants a derivative by them."""
    if not states.ordinary(weight) or weight.dtype is not known.cost.dtype or weight.requires_grad or weight.is_neg():
        return False
    return tuple(weight.shape) == (known.plan.numbers[cpu_batch.CLASSES],) and weight.is_contiguous()


@lru_cache(maxsize=256, typed=True)
def _known(
    shape: Any, strides: Any, dtype: Any, y_shape: Any, y_dtype: Any, ignore: Any, reduction: Any, smoothing: Any
) -> Known | None:
    """How to go about a batch; None where not here."""
    name, k = str(dtype).removeprefix("torch."), shape[-1] if shape else 0
    if not 1 <= len(shape) <= 2 or not shape.numel() or y_dtype is not torch.int64 or name not in STORAGE:
        return None
    try:
        options = Options.of({"ignore_index": ignore, "reduction": reduction, "label_smoothing": smoothing})
        like = torch.empty_strided(shape, strides, dtype=dtype, device="meta")
        problem = read(like, torch.empty(y_shape, dtype=y_dtype, device="meta"), options)
    except XentError:
        return None
    size = STORAGE[name]
    row, step = _steps(problem.logits.stride(), size)
    if not cpu_columns.knows(options, True, k, size) and k > 1 and step != size:
        return None
    return Known(
        plan=cpu_usual.plan(name, (row, step, y_shape.numel(), k), options, _steps(torch.empty_like(like).stride(), size)),
        cost=torch.empty(y_shape if reduction == "none" else (), dtype=getattr(torch, computed(name)), device="cpu"),
        rest=(problem.hard, options, problem.xp),
        at_once=at_once(reduction, dtype),
    )


def _steps(strides: tuple[int, ...], size: int) -> tuple[int, int]:
    """Bytes from row to row and from class to class."""
    return (strides[0] * size if len(strides) == 2 else 0), strides[-1] * size
