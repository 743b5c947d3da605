"""What really ran: every operation from the model's inputs to the cost, in order, whatever wrote it.

The ground of the doctor. A `Value` is a tensor at one moment (an in-place operation makes a new value of the same tensor), a
`Step` an operation with the values that went in and came out, a `Call` one of PyTorch's or xent's own cost functions with its
arguments, seen even when it raises. `following` fills a trace while something runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

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
        return "" if self.func is None else named(self.func)

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
        if _lies(tensor):
            first = self._places.setdefault(_place(tensor), made)
            if first is not made and first.version == made.version and made.made_by is not None:
                made.twin = first
        return made

    def note(self, func: Any, args: Any, kwargs: Any) -> Step:
        """A step that is about to run."""
        ins: list[Value] = []
        held = self._held((args, kwargs), ins)
        where = self.where[-1] if self.where else ""
        name = named(func)
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


def named(func: Any) -> str:
    """The name of an operation, without overload."""
    name: str = getattr(getattr(func, "_schema", None), "name", str(func))
    return name.rpartition("::")[2]


def _lies(tensor: Tensor) -> bool:
    """Whether a tensor has memory that it is a view of."""
    return tensor.layout == torch.strided and not tensor.is_nested and bool(tensor.numel())


def _place(tensor: Tensor) -> tuple[Any, ...]:
    if not _lies(tensor):
        return (id(tensor),)
    return (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.device)
