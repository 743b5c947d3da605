"""A site: what is compared with what, in which form, over which axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xent.doctor.natures import Nature
from xent.doctor.trace import Call, Step, Value
from xent.outputs import Output

ERRORS = ("squared", "absolute", "huber")
"""Costs of the difference a − y."""


@dataclass(eq=False)
class Site:
    """One such place. `axis` is the class axis of the input, None where the cost is elementwise."""

    form: str
    input: Value
    target: Any = None
    axis: int | None = None
    call: Call | None = None
    step: Step | None = None
    nature: Nature = field(kw_only=True, repr=False)
    both: bool = True
    """For logarithms of a sigmoid by hand: whether log(1 − a) is there as well as log a."""
    output: Output | None = None
    """xent's output on the input as it is, where a cost of xent was given logits: its closed forms are exact."""

    @property
    def raised(self) -> str:
        """What PyTorch said, where the call failed."""
        return self.call.raised if self.call else ""

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the call."""
        return default if self.call is None else self.call.args.get(name, default)

    @property
    def indexed(self) -> bool:
        """Whether a cost function takes class numbers here."""
        known = self.form in ("cross-entropy", "nll", "multi-margin")
        return known or ((self.output is not None or self.form in ERRORS) and self.axis is not None)

    @property
    def by_hand(self) -> bool:
        """Whether no cost function of PyTorch or xent was called."""
        return self.call is None

    @property
    def logits(self) -> Value:
        """What was squashed, where the input is an answer or its logarithm; else the input."""
        return self.nature.z if self.nature.squashed or self.nature.is_log else self.input

    @property
    def class_axis(self) -> int | None:
        """The axis that the cost takes the classes from, or else that of the softmax before it."""
        return self.axis if self.axis is not None else self.nature.axis

    @property
    def rows(self) -> tuple[int, ...]:
        """The input's shape without the axis that the cost takes the classes from: that of class numbers."""
        shape = self.input.shape
        return shape if self.axis is None else (*shape[: self.axis], *shape[self.axis + 1 :])

    @property
    def alike(self) -> bool:
        """Whether the target is a value of the input's shape."""
        return isinstance(self.target, Value) and self.target.shape == self.input.shape
