"""torch.nn.functional's cross_entropy and linear_cross_entropy: the same arguments and layouts."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Unpack

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.overrides import handle_torch_function, has_torch_function_variadic

from xent.bindings.torch import calling, linear, usual
from xent.costs import SurprisalCost
from xent.errors import ArrayKindError, InputError, UnknownNameError
from xent.ops.linear.inputs import MEMORY


class More(TypedDict, total=False):
    """The options that torch.nn.functional.cross_entropy does not have; `Options` says what each means."""

    z_loss: float
    softcap: float | None
    temperature: float
    shape: str | SurprisalCost | None
    denominator: float | Tensor | None
    on_empty: Literal["nan", "zero", "raise"]
    valid_classes: int | None
    stats: str | tuple[str, ...] | list[str]
    axis: int | None


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    **more: Unpack[More],
) -> Any:
    """torch.nn.functional.cross_entropy: the same arguments and layouts, exact, fused on the CPU, with more options.

    input   logits of shape (C,), (N, C) or (N, C, d1, …); with `axis=` the classes stand on that axis, -1 for (…, C)
    target  class indices of shape (), (N,) or (N, d1, …), or probabilities of the input's shape

    Keywords beyond PyTorch's are those of `xent.cross_entropy`: z_loss, softcap, temperature, shape, denominator, on_empty,
    valid_classes, stats, axis. With `stats` the result is a pair, the second a dictionary of tensors without gradients.

    Differs from PyTorch's in this: a cost of 16-bit logits is float32, and so is its computation; probabilities have to sum to 1;
    a wrong target raises TargetError; size_average and reduce, deprecated there, are refused.

    Runs under torch.compile (fullgraph), autocast, checkpointing and torch.func, in forward mode, and differentiates twice.
    Raises ShapeError, TargetError, ArrayKindError and InputError for what does not fit. No input is changed.

    >>> import torch
    >>> logits = torch.zeros(2, 4, requires_grad=True)
    >>> cross_entropy(logits, torch.tensor([1, 3])).backward()
    >>> logits.grad[0]
    tensor([ 0.1250, -0.3750,  0.1250,  0.1250])
    """
    if has_torch_function_variadic(input, target, weight) and not is_compiling():
        return handle_torch_function(
            cross_entropy, (input, target, weight), input, target, weight=weight, size_average=size_average, reduce=reduce,
            ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing, **more,
        )  # fmt: skip
    refuse_deprecated(size_average, reduce)
    if not more and not is_compiling():
        value = usual.cost(input, target, weight, ignore_index, reduction, label_smoothing)
        if value is not None:
            return value
    _insist_on_tensors(input=input, **({"target": target} if isinstance(target, Tensor) else {}))
    own: Any = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    if more.get("axis") is None:
        more["axis"] = 1 if input.ndim > 1 else 0
    return calling.cross_entropy(input, target, **own, **more)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
    memory: int = MEMORY,
    **more: Unpack[More],
) -> Any:
    """torch.nn.functional.linear_cross_entropy: the same arguments, without ever holding the logits, with more options.

    input          (in,) or (N, in); more leading axes are taken too
    linear_weight  (C, in), or PyTorch's (C, d1, …, in), for which the logits are made after all
    target         class indices of shape (), (N,) or (N, d1, …), or probabilities of shape (C,), (N, C) or (N, C, d1, …)
    memory         bytes of scratch beyond the tensors that come and go
    options        PyTorch's own on chunks are taken and left alone: chunks are made to fit `memory`

    The other keywords are those of `xent.torch.cross_entropy`. On the CPU the gradients are made together with the cost; only
    those that are wanted; torch.compile sees an operator that does the same. On other devices, and for a φ of your own, the
    formulas run chunk by chunk. While PyTorch transforms (torch.func, forward mode), in second derivatives, and under
    torch.compile on other devices or where targets or class weights are differentiated, the logits are kept.

    >>> import torch
    >>> h, W = torch.ones(2, 3), torch.zeros(4, 3, requires_grad=True)
    >>> linear_cross_entropy(h, W, torch.tensor([1, 1])).backward()
    >>> W.grad[:, 0]
    tensor([ 0.2500, -0.7500,  0.2500,  0.2500])
    """
    given = input, linear_weight, target, linear_bias, weight
    if linear.announces(*given):
        return handle_torch_function(
            linear_cross_entropy, given, input, linear_weight, target, linear_bias=linear_bias, weight=weight, reduction=reduction,
            ignore_index=ignore_index, label_smoothing=label_smoothing, options=options, memory=memory, **more,
        )  # fmt: skip
    _insist_on_tensors(input=input, linear_weight=linear_weight)
    if "bias" in more:
        raise UnknownNameError("option of linear_cross_entropy", "bias", ("linear_bias",))
    ignore = -100 if ignore_index is None else ignore_index
    own: Any = {"weight": weight, "ignore_index": ignore, "reduction": reduction, "label_smoothing": label_smoothing, **more}
    if linear_weight.ndim > 2:
        logits = torch.einsum("ni,c...i->nc...", input, linear_weight)
        return cross_entropy(logits if linear_bias is None else logits + linear_bias, target, **own)
    return linear.linear_cross_entropy(input, linear_weight, target, linear_bias, memory=memory, **own)


def _insist_on_tensors(**given: Any) -> None:
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise ArrayKindError(f"{name} is a tensor here, but {type(x).__name__} {x!r:.40} came: torch.as_tensor makes one. "
                                 "xent.cross_entropy takes the arrays of other libraries.")  # fmt: skip
        if x.is_nested:
            raise ArrayKindError(f"{name} is one tensor, but a nested one came: torch.nested.to_padded_tensor makes it one, and "
                                 "ignore_index leaves the padding out.")  # fmt: skip
        if x.layout is not torch.strided:
            raise ArrayKindError(f"{name} is a dense tensor, but one of layout {x.layout} came: x.to_dense() makes it one.")


def refuse_deprecated(size_average: Any, reduce: Any) -> None:
    """Raise for arguments that PyTorch has deprecated."""
    if size_average is not None or reduce is not None:
        raise InputError(
            "size_average and reduce are deprecated in PyTorch and not taken here: use reduction='mean', 'sum' or 'none'."
        )
