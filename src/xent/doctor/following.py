"""A run followed into a trace: operations by PyTorch's dispatcher, calls of cost functions by a torch function mode."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from xent.bindings.torch import states
from xent.doctor import ours
from xent.doctor.trace import Call, Trace

COSTS = (
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss",
    "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss", "gaussian_nll_loss", "hinge_embedding_loss",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss",
    "cosine_embedding_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss", "ctc_loss",
)  # fmt: skip
"""The functions of torch.nn.functional that are costs; the modules of torch.nn call them."""

NAMES: dict[Any, str] = {getattr(F, name): name for name in COSTS} | {F.one_hot: "one_hot"} | ours.NAMES

BARE = {
    "mse_loss": "mse_loss", "nll_loss_forward": "nll_loss", "nll_loss2d_forward": "nll_loss", "smooth_l1_loss": "smooth_l1_loss",
    "binary_cross_entropy": "binary_cross_entropy", "huber_loss": "huber_loss", "soft_margin_loss": "soft_margin_loss",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
}  # fmt: skip
"""Costs that are one operation, met outside of any function above (in scripted code, say)."""

REDUCTIONS = ("none", "mean", "sum")

OVERWRITING = (
    "sigmoid_", "tanh_", "relu_", "hardtanh_", "leaky_relu_", "elu_", "_softmax_", "exp_", "log_", "clamp_", "clamp_min_",
)  # fmt: skip
"""Operations in place whose input is kept: what squashes or cuts off is told by the numbers before it."""


class Operations(TorchDispatchMode):
    """Follows every operation into a trace."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        step = self.trace.note(func, args, kwargs)
        writes = [i for i, a in enumerate(func._schema.arguments) if a.alias_info is not None and a.alias_info.is_write]
        written = [self.trace.value(args[i]) for i in writes if i < len(args) and isinstance(args[i], Tensor)]
        if step.op in OVERWRITING:
            for value in written:
                value.content = value.tensor.detach().clone()
        try:
            out = func(*args, **kwargs)
        except Exception as error:  # noted, whatever it is, and raised again
            step.raised = str(error)
            raise
        for value in written:
            value.overwritten = True
        self.trace.done(step, out)
        return out


class Calls(TorchFunctionMode):
    """Notes the calls of cost functions with their arguments."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = NAMES.get(func)
        if name is None or self.trace.open is not None or states.transformed():  # there tensors stand for others
            return func(*args, **kwargs)
        trace = self.trace
        call = Call(name, _bound(func, name, args, kwargs, trace), trace.in_model, trace.where[-1] if trace.where else "")
        trace.calls.append(call)
        trace.open = call
        try:
            if func in ours.NAMES:
                _checked(func, args, kwargs)
            out = func(*args, **kwargs)
        except Exception as error:  # noted, whatever it is, and raised again
            call.raised = f"{type(error).__name__}: {error}"
            raise
        finally:
            trace.open = None
        call.result = trace.value(out[0] if isinstance(out, tuple) else out)  # the cost, before any statistics
        return out


def _checked(func: Any, args: Any, kwargs: Any) -> None:
    """Call xent's function unwatched: it looks at targets only where PyTorch does nothing but compute, and then it may raise."""
    args, kwargs = tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, (args, kwargs))
    with _disable_current_modes(), torch.no_grad():
        func(*args, **kwargs)


def _bound(func: Any, name: str, args: Any, kwargs: Any, trace: Trace) -> dict[str, Any]:
    """The arguments by their names; `reduction` in the words of today."""
    if name == "one_hot":
        named = dict(zip(("input", "num_classes"), args, strict=False)) | kwargs
        named["input"] = named.pop("tensor", named.get("input"))
    elif func in ours.NAMES:
        named = ours.bound(func, args, kwargs)
    else:
        bound = inspect.signature(func).bind(*args, **kwargs)
        bound.apply_defaults()
        named = dict(bound.arguments)
        if named.get("reduce") is False:
            named["reduction"] = "none"
        elif named.get("size_average") is False:
            named["reduction"] = "sum"
    return {key: trace.value(v) if isinstance(v, Tensor) else v for key, v in named.items()}


def bare_calls(trace: Trace) -> None:
    """The costs that ran as one operation outside of any function of torch.nn.functional, added to the calls."""
    for step in trace.steps:
        if step.op not in BARE or step.call is not None or not step.outs:
            continue
        names = [a.name for a in step.func._schema.arguments]
        given = {a.name: a.default_value for a in step.func._schema.arguments if a.has_default_value()}
        named = given | dict(zip(names, step.args, strict=False)) | step.kwargs
        named["input"] = named.pop("self", named.get("input"))
        if isinstance(named.get("reduction"), int):
            named["reduction"] = REDUCTIONS[named["reduction"]]
        call = Call(BARE[step.op], named, step.in_model, step.where, step.outs[0], inner=[step])
        step.call = call
        trace.calls.append(call)
