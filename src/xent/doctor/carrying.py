"""Numbers that belong to the elements of one value, taken along to a later one by running the same reshapes on them.

Stands on `trace`. The index of an output unit or of a sample, a gradient: what has become of each element is thus known exactly,
however it was reshaped, picked or permuted.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from xent.doctor.trace import Step, Value


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


VIEWS = names(
    "view _unsafe_view reshape permute transpose t squeeze unsqueeze expand select slice split split_with_sizes unbind "
    "index index_select gather clone _to_copy contiguous alias detach diagonal diag_embed unflatten flip roll "
    "lift_fresh narrow as_strided movedim expand_as view_as flatten take take_along_dim swapaxes numpy_T _reshape_alias "
    "squeeze_ unsqueeze_ transpose_ t_ repeat squeeze_copy masked_select chunk unfold detach_ constant_pad_nd"
)
"""Operations that move elements and do not change them; `carry` runs them again."""

COPYING = names("clone _to_copy alias detach contiguous lift_fresh")

MIXING = names(
    "addmm mm bmm baddbmm convolution mkldnn_rnn_layer _trilinear linear matmul native_layer_norm native_batch_norm "
    "_native_batch_norm_legit native_group_norm cudnn_batch_norm embedding"
)
"""Operations of layers: sums over elements with weights, and norms."""

MOST = 1 << 22
"""So many elements of a value are looked at one by one."""


def behind(value: Value, ops: Collection[str]) -> Value:
    """What lies behind operations of these names, each followed to the first thing that it was given."""
    while value.made_by is not None and value.made_by.op in ops and value.made_by.ins:
        value = value.made_by.ins[0]
    return value


def same(a: Value, b: Value) -> bool:
    """Whether two values are the same numbers under two names."""
    return original(a) is original(b)


def original(value: Value) -> Value:
    """A value before what only copies it; of views that are the same, the first."""
    while True:
        if value.made_by is not None and value.made_by.op in COPYING:
            value = value.made_by.ins[0]
        elif value.twin is not None and value.twin is not value:
            value = value.twin
        else:
            return value


def negated(value: Value) -> Value | None:
    """x where a value is −x."""
    return value.made_by.ins[0] if value.made_by is not None and value.made_by.op == "neg" else None


def complement(value: Value) -> Value | None:
    """y where a value is 1 − y."""
    step = value.made_by
    return step.ins[0] if step is not None and step.op == "rsub" and step.ins and step.argument(1, "other") == 1 else None


def moved_axis(step: Step, x: Value, out: Value, axis: int) -> int | None:
    """Where an axis of x is in what a view made of it; None where it is gone or mixed with others."""
    if axis >= len(x.shape):
        return None
    moved = again(step, x, places(x.tensor, axis).contiguous(), out)
    return None if moved is None else running_axis(moved)


def places(like: Tensor, axis: int) -> Tensor:
    """For each element its place along an axis."""
    n = like.shape[axis]
    return torch.arange(n, device=like.device).reshape([-1 if i == axis else 1 for i in range(like.ndim)]).expand(like.shape)


def numbered(value: Value) -> Tensor:
    """For each element its place among all of them."""
    return torch.arange(value.tensor.numel(), device=value.tensor.device).reshape(value.shape)


def running_axis(index: Tensor) -> int | None:
    """The only axis along which an index changes; where nothing changes, none."""
    if not index.numel():
        return None
    found = [i for i in range(index.ndim) if index.shape[i] > 1 and bool((index.select(i, 0) != index.select(i, -1)).any())]
    return found[0] if len(found) == 1 else None


def again(step: Step, x: Value, numbers: Tensor, out: Value) -> Tensor | None:
    """A view run again on other numbers of x's shape."""
    if step.op == "_to_copy":
        return numbers
    if step.op == "constant_pad_nd":
        return None
    try:
        with torch.no_grad():
            got = step.func(*_put(step.args, x, numbers), **{k: _put(v, x, numbers) for k, v in step.kwargs.items()})
    except (RuntimeError, IndexError, TypeError, ValueError):
        return None
    if isinstance(got, list | tuple):
        got = got[step.outs.index(out)] if out in step.outs else None
    return got if isinstance(got, Tensor) and tuple(got.shape) == out.shape else None


def _put(thing: Any, x: Value, numbers: Tensor) -> Any:
    """Arguments with their numbers, and others for those of x."""
    if isinstance(thing, Value):
        return numbers if thing is x else thing.numbers
    return [_put(one, x, numbers) for one in thing] if isinstance(thing, list | tuple) else thing


ELEMENTWISE = names(
    "add add_ sub sub_ mul mul_ div div_ rsub neg sigmoid sigmoid_ tanh tanh_ relu relu_ leaky_relu gelu silu elu softplus "
    "exp log log1p log2 log10 clamp clamp_min clamp_max pow square abs sqrt reciprocal _softmax _log_softmax "
    "log_sigmoid_forward native_dropout hardtanh hardsigmoid hardswish masked_fill masked_fill_ where nan_to_num _to_copy "
    "clone native_layer_norm native_batch_norm _native_batch_norm_legit native_group_norm erf sin cos leaky_relu_ silu_ "
    "elu_ hardtanh_ clamp_ exp_ log_ sign mish bernoulli_ cudnn_batch_norm special_expit logit xlogy threshold"
)
"""Operations whose output has its input's elements in their places."""


def path(start: Value, end: Value) -> list[tuple[Step, Value, Value]] | None:
    """The operations from one value to a later one that leave each element an element: views, and maps of single elements."""
    steps: list[tuple[Step, Value, Value]] = []
    start, now = original(start), end
    while original(now) is not start and now is not start:
        step = now.made_by
        if step is None or not step.ins or len(steps) > 200:
            return None
        if step.op not in VIEWS and step.op not in ELEMENTWISE:
            return None
        before = next((v for v in step.ins if v.shape and leads(v, start)), None)
        if before is None:
            return None
        steps.append((step, before, now))
        now = before
    return steps[::-1]


def leads(value: Value, start: Value) -> bool:
    """Whether a value was made from another."""
    seen, todo = set(), [value]
    while todo:
        one = todo.pop()
        if one is start or original(one) is start:
            return True
        if one.id in seen or one.id < start.id:
            continue
        seen.add(one.id)
        todo += one.made_by.ins if one.made_by else []
    return False


def carry(start: Value, end: Value, numbers: Tensor) -> Tensor | None:
    """Numbers that belong to the elements of `start`, where those elements are in `end`; None where they were mixed."""
    steps = path(start, end)
    if steps is None:
        return None
    for step, before, after in steps:
        if step.op in VIEWS:
            moved = again(step, before, numbers, after)
        elif before.shape == after.shape:
            moved = numbers
        else:
            try:
                moved = numbers.expand(after.shape)
            except RuntimeError:
                moved = None
        if moved is None:
            return None
        numbers = moved
    return numbers
