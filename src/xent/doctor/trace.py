"""What really ran: every operation from the model's inputs to the cost, seen by PyTorch's dispatcher, whatever wrote it.

The ground of the doctor. A `Value` is a tensor at one moment (an in-place operation makes a new value of the same tensor), a
`Step` an operation with the values that went in and came out, a `Call` one of PyTorch's or xent's own cost functions with its
arguments, seen even when it raises.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map

from xent.doctor import ours

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

SHAPES_ONLY = (
    "ones_like", "zeros_like", "full_like", "empty_like", "rand_like", "randn_like", "new_ones", "new_zeros",
    "new_full", "new_empty",
)  # fmt: skip
"""Operations that look at nothing but the shape of what they are given."""


@dataclass(eq=False, repr=False)
class Value:
    """A tensor at one moment. `role` says where a value comes from that no step made: param, buffer, x, y, batch or constant."""

    id: int
    tensor: Tensor
    role: str = ""
    name: str = ""
    made_by: Step | None = None
    content: Tensor | None = None
    """What it held, where an in-place operation has written over it since."""
    overwritten: bool = False
    used_by: list[Step] = field(default_factory=list)
    version: int = 0
    """How often its memory had been written to when it was made."""
    twin: Value | None = None
    """The first value of the same view of the same memory, as z[:, 0] taken twice."""

    @property
    def numbers(self) -> Tensor:
        """Its numbers, cut off from autograd."""
        return (self.tensor if self.content is None else self.content).detach()

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.numbers.shape)

    @property
    def dtype(self) -> str:
        """The name of its dtype, such as float32."""
        return str(self.tensor.dtype).rpartition(".")[2]

    @property
    def learns(self) -> bool:
        """Whether the gradient reaches it."""
        return self.tensor.requires_grad


@dataclass(eq=False, repr=False)
class Step:
    """One operation: its name without overload, its arguments with values for tensors."""

    index: int
    op: str
    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    ins: list[Value]
    outs: list[Value]
    where: str
    in_model: bool
    grad: bool
    call: Call | None = None
    raised: str = ""

    @property
    def learned(self) -> list[Value]:
        """What went in and learns."""
        return [value for value in self.ins if value.learns]

    @property
    def given(self) -> list[Value]:
        """What went in and does not."""
        return [value for value in self.ins if not value.learns]

    @property
    def ran(self) -> str:
        """The operation that ran, whatever is told of it; none for an imagined step."""
        return "" if self.func is None else _named(self.func)

    def argument(self, i: int, name: str = "", default: Any = None) -> Any:
        """The i-th argument, or the one of that name."""
        return self.args[i] if len(self.args) > i else self.kwargs.get(name, default)


@dataclass(eq=False, repr=False)
class Call:
    """A cost function that was called: its arguments by name, with values for tensors."""

    name: str
    args: dict[str, Any]
    in_model: bool
    where: str
    result: Value | None = None
    raised: str = ""
    inner: list[Step] = field(default_factory=list)


class Trace:
    """The values, steps and calls of one run, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.calls: list[Call] = []
        self.values: list[Value] = []
        self.in_model = True
        self.where: list[str] = []
        self.open: Call | None = None
        self.returned: list[Value] = []
        """What the model itself returned, whatever `forward` made of it, and its parts where they return several things."""
        self._now: dict[int, Value] = {}
        self._places: dict[tuple[Any, ...], Value] = {}

    def leaf(self, tensor: Tensor, role: str, name: str = "") -> Value:
        """A value that was there before the run."""
        return self._add(tensor, role=role, name=name)

    def knows(self, tensor: Tensor) -> bool:
        """Whether a tensor has been seen."""
        return id(tensor) in self._now

    def value(self, tensor: Tensor) -> Value:
        """What a tensor is now; one never seen is another's alias (as of `.data`), or a constant."""
        seen = self._now.get(id(tensor))
        if seen is None:
            alias = self._places.get(_place(tensor))
            if alias is not None and not tensor.requires_grad:
                seen = self._add(tensor, made_by=alias.made_by, role=alias.role, name=alias.name)
            else:
                seen = self._add(tensor, role="constant")
        return seen

    def _add(self, tensor: Tensor, **about: Any) -> Value:
        made = Value(len(self.values), tensor, **about, version=tensor._version)
        self.values.append(made)
        self._now[id(tensor)] = made
        if tensor.layout == torch.strided and tensor.numel():
            first = self._places.setdefault(_place(tensor), made)
            if first is not made and first.version == made.version and made.made_by is not None:
                made.twin = first
        return made

    def note(self, func: Any, args: Any, kwargs: Any) -> Step:
        """A step that is about to run."""
        ins: list[Value] = []
        held = self._held((args, kwargs), ins)
        where = self.where[-1] if self.where else ""
        name = _named(func)
        step = Step(
            len(self.steps), name, func, tuple(held[0]), dict(held[1]), ins, [], where, self.in_model, torch.is_grad_enabled(),
            self.open
        )  # fmt: skip
        for value in ins:
            value.used_by.append(step)
        self.steps.append(step)
        if self.open is not None:
            self.open.inner.append(step)
        return step

    def _held(self, thing: Any, ins: list[Value]) -> Any:
        """Arguments with values for tensors, which `ins` takes in their order."""
        if isinstance(thing, Tensor):
            ins.append(self.value(thing))
            return ins[-1]
        if isinstance(thing, dict):
            return {key: self._held(one, ins) for key, one in thing.items()}
        return [self._held(one, ins) for one in thing] if isinstance(thing, list | tuple) else thing

    def done(self, step: Step, out: Any) -> None:
        """A step that has run: what came out, each a new value, also where it is an old tensor."""
        for tensor in out if isinstance(out, list | tuple) else (out,):
            if isinstance(tensor, Tensor):
                step.outs.append(self._add(tensor, made_by=step))
            elif isinstance(tensor, list | tuple):
                self.done(step, tensor)

    def imagined(self, like: Step, op: str, ins: tuple[Value, ...], tensor: Tensor) -> Value:
        """The value of a step that did not run, and says in other words what another did."""
        step = Step(like.index, op, None, ins, {}, list(ins), [], like.where, like.in_model, like.grad)
        for value in ins:
            value.used_by.append(step)
        made = Value(len(self.values), tensor, made_by=step)
        self.values.append(made)
        step.outs.append(made)
        return made

    def forget(self) -> None:
        """Let go of every tensor at once: values and steps hold each other, and would wait for the garbage collector."""
        for value in self.values:
            value.made_by = value.twin = None
            value.used_by.clear()
        for step in self.steps:
            step.call = None
        for call in self.calls:
            call.inner.clear()
        self.steps, self.calls, self.values, self.returned, self.open = [], [], [], [], None
        self._now, self._places = {}, {}

    def sources(self, value: Value) -> set[str]:
        """The roles of all leaves that a value was made from."""
        return {leaf.role for leaf in self.leaves(value)}

    def leaves(self, value: Value) -> list[Value]:
        """The leaves that a value was made from."""
        seen, found, todo = {value.id}, [], [value]
        while todo:
            one = todo.pop()
            if one.made_by is None:
                found.append(one)
                continue
            for before in () if one.made_by.op in SHAPES_ONLY else one.made_by.ins:
                if before.id not in seen:
                    seen.add(before.id)
                    todo.append(before)
        return found


def _named(func: Any) -> str:
    """The name of an operation, without overload."""
    name: str = getattr(getattr(func, "_schema", None), "name", str(func))
    return name.rpartition("::")[2]


def _place(tensor: Tensor) -> tuple[Any, ...]:
    if tensor.layout != torch.strided or not tensor.numel():
        return (id(tensor),)
    return (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device)


OVERWRITING = (
    "sigmoid_", "tanh_", "relu_", "hardtanh_", "leaky_relu_", "elu_", "_softmax_", "exp_", "log_", "clamp_", "clamp_min_",
)  # fmt: skip
"""Operations in place whose input is kept: what squashes or cuts off is told by the numbers before it."""


class Operations(TorchDispatchMode):
    """Follows every operation into a trace."""

    def __init__(self, trace: Trace, watch: Callable[[Step], None] | None = None) -> None:
        super().__init__()
        self.trace, self.watch = trace, watch

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
        except Exception as error:
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
        if name is None or self.trace.open is not None:
            return func(*args, **kwargs)
        trace = self.trace
        call = Call(name, _bound(func, name, args, kwargs, trace), trace.in_model, trace.where[-1] if trace.where else "")
        trace.calls.append(call)
        trace.open = call
        try:
            if func in ours.NAMES:
                _checked(func, args, kwargs)
            out = func(*args, **kwargs)
        except Exception as error:
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
