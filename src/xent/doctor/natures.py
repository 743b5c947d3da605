"""What a value is, told by the operations that made it: logits, a squashed answer, its logarithm, something rectified.

A nature is followed through reshapes, indexing, constants and masks, so that it does not matter how a softmax, a sigmoid or a
logarithm was written, nor in which line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xent.doctor.carrying import COPYING, VIEWS, moved_axis, names, original, same
from xent.doctor.trace import Step, Trace, Value

KEEPING = names("native_dropout dropout masked_fill masked_fill_ where nan_to_num nan_to_num_ bernoulli")
"""Operations after which an element is still what it was."""

RECTIFYING = names("relu relu_ hardtanh hardtanh_ threshold threshold_ softplus gelu silu silu_ elu elu_ abs clamp_min clamp_min_")
MIXING = names(
    "addmm mm bmm baddbmm convolution mkldnn_rnn_layer _trilinear linear matmul native_layer_norm native_batch_norm "
    "_native_batch_norm_legit native_group_norm cudnn_batch_norm embedding"
)
SQUASHED = ("sigmoid", "tanh", "softmax", "hard")
REACH = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softmax": (0.0, 1.0), "hard": (0.0, 1.0)}


@dataclass(frozen=True)
class Nature:
    """What a value is: `kind` of z (a value), for softmax and its logarithm over which of this value's axes.

    kind: raw, sigmoid, tanh, softmax, hard (piecewise linear), scaled (a softmax times a number), log (of the nature `kind` of
    `inner`), rectified, exp, max, sum-exp, log-sum-exp. `low` and `high` are where a squashed answer ends, after scaling. `turned`
    is 1 − a. `eps` softens or clamps a probability before its logarithm.
    """

    kind: str
    z: Value
    axis: int | None = None
    inner: str = ""
    low: float = 0.0
    high: float = 1.0
    turned: bool = False
    eps: float = 0.0
    picked: bool = False
    target: Value | None = None
    """What chose between a and 1 − a, where both were put into one."""
    step: Step | None = None
    """Where the squashing ran."""

    @property
    def squashed(self) -> bool:
        """Whether it is an answer that cannot leave its range."""
        return self.kind in SQUASHED

    @property
    def is_log(self) -> bool:
        """Whether it is the logarithm of a probability."""
        return self.kind == "log" and self.inner in ("sigmoid", "softmax", "hard")


class Natures:
    """The nature of every value of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._of: dict[int, Nature] = {}
        for step in trace.steps:
            if not step.outs:
                continue
            for i, out in enumerate(step.outs):
                made = self._made(step, out, i)
                if made is not None:
                    self._of[out.id] = made

    def of(self, value: Value) -> Nature:
        """The nature of a value; raw where nothing is known of it but its numbers."""
        return self._of.get(value.id) or Nature("raw", value)

    def _made(self, step: Step, out: Value, place: int) -> Nature | None:
        if not step.ins or (place and step.op not in ("split", "split_with_sizes", "unbind", "chunk")):
            return None
        if step.op in VIEWS or step.op in KEEPING:
            return self._moved(step, out)
        rule = RULES.get(step.op)
        if rule is not None:
            return rule(self, step, out)
        if step.op in RECTIFYING:
            return self._rectified(step, out)
        return None

    # ── moved elements ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _moved(self, step: Step, out: Value) -> Nature | None:
        x = step.ins[0]
        if step.op == "where":
            if (z := self._where_positive(step)) is not None:
                return Nature("rectified", z, inner="relu", step=step)
            inputs = [v for v in step.ins[1:] if v.learns] or step.ins[1:]
            if len(inputs) == 2 and step.op == "where":
                return self._chosen(inputs[0], inputs[1], step.ins[0])
            if len(inputs) > 1 or not inputs:
                return None
            x = inputs[0]
        before = self.of(x)
        if before.kind == "raw":
            return before if step.op in COPYING else replace(before, z=out)
        axis = before.axis
        if axis is not None and step.op in VIEWS:
            axis = moved_axis(step, x, out, axis)
        elif axis is not None and out.shape != x.shape:
            axis = None
        picked = before.picked or _picks(step, before.axis)
        return replace(before, axis=axis, picked=picked)

    def _where_positive(self, step: Step) -> Value | None:
        """z where a step is z if z > 0 and 0 if not."""
        condition, chosen, other = (step.args[i] if len(step.args) > i else None for i in range(3))
        if not isinstance(condition, Value) or not isinstance(chosen, Value) or not chosen.learns:
            return None
        zero = isinstance(other, Value) and not other.learns and not bool(other.numbers.any())
        return chosen if zero and _is_positive(condition, chosen) else None

    def _chosen(self, a: Value, b: Value, y: Value) -> Nature | None:
        """The probability of what is true: a where y is 1, 1 − a where it is 0."""
        of_a, of_b = self.of(a), self.of(b)
        known = (of_a.squashed or of_a.is_log) and (of_a.kind, of_a.inner) == (of_b.kind, of_b.inner) and same(of_a.z, of_b.z)
        return replace(of_a, picked=True, target=y) if known and of_b.turned and not of_a.turned else None

    def _rectified(self, step: Step, out: Value) -> Nature | None:
        x = step.ins[0]
        before = self.of(x)
        if step.op in ("clamp_min", "clamp_min_") and (before.squashed or before.kind in ("exp", "rectified", "sum-exp")):
            return replace(before, eps=max(before.eps, float(step.argument(1, "min") or 0)))
        if step.op in ("clamp_min", "clamp_min_") and (before.is_log or step.argument(1, "min") != 0):
            return before if before.is_log else None
        if step.op.startswith("hardtanh"):
            low, high = step.argument(1, "min_val", -1), step.argument(2, "max_val", 1)
            if low < 0:
                return Nature("hard", x, low=float(low), high=float(high), step=step)
        if step.op.startswith("hardsigmoid"):
            return Nature("hard", x, step=step)
        return Nature("rectified", x, inner=step.op.rstrip("_"), step=step)


def _picks(step: Step, axis: int | None) -> bool:
    """Whether single classes are picked, one here and another there; rows are left whole."""
    if step.op in ("masked_select", "take"):
        return True
    if step.op == "select":
        return axis is not None and step.argument(1, "dim") % len(step.ins[0].shape) == axis
    if step.op in ("gather", "take_along_dim"):
        dim = step.argument(1 if step.op == "gather" else 2, "dim")
        return axis is None or not isinstance(dim, int) or dim % max(len(step.ins[0].shape), 1) == axis
    if step.op != "index":
        return False
    chosen: set[int] = set()
    place = 0
    for index in step.argument(1, "indices") or ():
        wide = len(index.shape) if isinstance(index, Value) and str(index.tensor.dtype) == "torch.bool" else 1
        chosen |= set(range(place, place + wide)) if index is not None else set()
        place += wide
    return axis in chosen if axis is not None else chosen != {0} or len(step.ins[0].shape) == 1


def _squash(kind: str) -> Callable[[Natures, Step, Value], Nature | None]:
    low, high = REACH[kind]

    def rule(natures: Natures, step: Step, out: Value) -> Nature:
        axis = _axis(step.argument(1, "dim"), out) if kind == "softmax" else None
        return Nature(kind, unshifted(natures, step.ins[0]), axis, low=low, high=high, step=step)

    return rule


def _log_softmax(natures: Natures, step: Step, out: Value) -> Nature:
    return Nature("log", unshifted(natures, step.ins[0]), _axis(step.argument(1, "dim"), out), inner="softmax", step=step)


def _log_sigmoid(natures: Natures, step: Step, out: Value) -> Nature:
    x = step.ins[0]
    turned = x.made_by is not None and x.made_by.op == "neg"
    return Nature("log", x.made_by.ins[0] if turned and x.made_by else x, inner="sigmoid", turned=turned, step=step)


def _log(natures: Natures, step: Step, out: Value) -> Nature | None:
    before = natures.of(step.ins[0])
    if before.kind in ("softmax", "sigmoid", "hard"):
        return replace(before, kind="log", inner=before.kind)
    if before.kind == "sum-exp":
        return replace(before, kind="log-sum-exp")
    return Nature("log", step.ins[0], inner="raw", step=step)


def _log1p(natures: Natures, step: Step, out: Value) -> Nature | None:
    x = step.ins[0]
    flipped = x.made_by is not None and x.made_by.op == "neg"
    before = natures.of(x.made_by.ins[0] if flipped and x.made_by else x)
    if flipped and before.kind in ("sigmoid", "softmax", "hard"):
        return replace(before, kind="log", inner=before.kind, turned=not before.turned)
    return None


def _exp(natures: Natures, step: Step, out: Value) -> Nature:
    before = natures.of(step.ins[0])
    if before.kind == "log" and before.inner in REACH:
        return replace(before, kind=before.inner, inner="")
    shifted = natures.of(step.ins[0])
    z = shifted.z if shifted.kind == "shifted" else step.ins[0]
    return Nature("exp", z, step=step)


def _sum(natures: Natures, step: Step, out: Value) -> Nature | None:
    x = step.ins[0]
    before = natures.of(x)
    axes = step.argument(1, "dim")
    axes = [axes] if isinstance(axes, int) else axes
    if step.op in ("amax", "max") and axes and len(axes) == 1:
        return Nature("max", x, _axis(axes[0], x), step=step)
    if step.op == "logsumexp" and axes and len(axes) == 1:
        return Nature("log-sum-exp", unshifted(natures, x), _axis(axes[0], x), step=step)
    if step.op == "sum" and before.kind == "exp" and axes and len(axes) == 1:
        return Nature("sum-exp", before.z, _axis(axes[0], x), step=step)
    if step.op == "sum" and before.picked and before.kind in ("softmax", "log") and axes:
        return replace(before, axis=None)
    return None


def _norm(natures: Natures, step: Step, out: Value) -> Nature | None:
    """‖e^z‖₁ = Σe^z."""
    before, axes = natures.of(step.ins[0]), step.argument(2, "dim")
    if before.kind != "exp" or step.argument(1, "ord", 2) != 1 or not isinstance(axes, list | tuple) or len(axes) != 1:
        return None
    return Nature("sum-exp", before.z, _axis(axes[0], step.ins[0]), step=step)


def _power(natures: Natures, step: Step, out: Value) -> Nature | None:
    """What is never negative stays so."""
    before = natures.of(step.ins[0])
    return before if before.kind == "rectified" and not isinstance(step.argument(1, "exponent"), Value) else None


def _difference(natures: Natures, step: Step, out: Value) -> Nature | None:
    a, b = step.argument(0), step.argument(1, "other")
    if step.op == "rsub":
        a, b = b, a
    if not isinstance(a, Value):
        return _affine(natures.of(b), -1.0, float(a)) if isinstance(b, Value) and isinstance(a, int | float) else None
    if not isinstance(b, Value):
        return _affine(natures.of(a), 1.0, -float(b)) if isinstance(b, int | float) else None
    constant = _number(a)
    if constant is not None and natures.of(b).kind in SQUASHED:
        return _affine(natures.of(b), -1.0, constant)
    of_b = natures.of(b)
    of_a = natures.of(a)
    z = of_a.z if of_a.kind == "shifted" else a
    if of_b.kind == "max" and same(of_b.z, a):
        return Nature("shifted", a, step=step)
    if of_b.kind == "log-sum-exp" and (same(of_b.z, a) or same(of_b.z, z)) and out.shape == a.shape:
        return Nature("log", unshifted(natures, a), of_b.axis, inner="softmax", step=step)
    of_a = natures.of(a)
    if of_a.kind == "log-sum-exp" and taken_from(b, of_a.z):
        return Nature("log", of_a.z, of_a.axis, inner="softmax", picked=True, step=step)
    if of_b.kind == "log-sum-exp" and taken_from(a, of_b.z):
        return Nature("log", of_b.z, of_b.axis, inner="softmax", picked=True, step=step)
    return None


def _quotient(natures: Natures, step: Step, out: Value) -> Nature | None:
    a, b = step.argument(0), step.argument(1, "other")
    if isinstance(a, Value) and not isinstance(b, Value):
        return _affine(natures.of(a), 1 / float(b), 0.0) if isinstance(b, int | float) and b else None
    if not isinstance(a, Value) or not isinstance(b, Value):
        return None
    above, below = natures.of(a), natures.of(b)
    shared = _sum_of(b, a)
    if shared is not None and (above.kind in ("raw", "rectified") or (above.kind == "softmax" and above.axis == shared)):
        return above if above.kind == "softmax" else Nature("shares", a, shared, step=step)
    if _one_more_than_size(b, a):
        return Nature("hard", a, low=-1.0, high=1.0, step=step)  # softsign
    if above.kind == "exp" and below.kind == "sum-exp" and same(above.z, below.z):
        return Nature("softmax", unshifted(natures, above.z), below.axis, step=step)
    if above.kind == "exp" and below.kind == "exp-plus-one" and same(above.z, below.z):
        return Nature("sigmoid", above.z, step=step)
    if below.kind == "exp-plus-one" and _number(a) == 1.0:
        return _of_reciprocal(below, step)
    constant = _number(b)
    return _affine(above, 1 / constant, 0.0) if constant else None


def _sum_of(total: Value, part: Value) -> int | None:
    """The axis over which a value is the sum of another; None where it is not."""
    while total.made_by is not None and total.made_by.op in (*VIEWS, "clamp_min", "add") and len(total.made_by.ins) == 1:
        total = total.made_by.ins[0]
    step = total.made_by
    axes = step.argument(1, "dim") if step is not None and step.op == "sum" and same(step.ins[0], part) else None
    return _axis(axes[0], part) if isinstance(axes, list | tuple) and len(axes) == 1 else None


def _one_more_than_size(below: Value, z: Value) -> bool:
    """Whether a value is 1 + |z|."""
    step = below.made_by
    size = step.ins[0].made_by if step is not None and step.op == "add" and step.argument(1, "other") == 1 else None
    return size is not None and size.op == "abs" and same(size.ins[0], z)


def _of_reciprocal(below: Nature, step: Step) -> Nature:
    """1/(1 + e^x): a sigmoid of −x."""
    z = below.z
    if z.made_by is not None and z.made_by.op == "neg":
        return Nature("sigmoid", z.made_by.ins[0], step=step)
    return Nature("sigmoid", z, turned=True, step=step)


def _reciprocal(natures: Natures, step: Step, out: Value) -> Nature | None:
    below = natures.of(step.ins[0])
    return _of_reciprocal(below, step) if below.kind == "exp-plus-one" else None


def _add(natures: Natures, step: Step, out: Value) -> Nature | None:
    a, b = step.argument(0), step.argument(1, "other")
    if isinstance(a, Value) and isinstance(b, Value):
        of_a, of_b = natures.of(a), natures.of(b)
        if of_a.kind == "max" and of_b.kind == "log-sum-exp":
            of_a, of_b = of_b, of_a
        if of_a.kind == "log-sum-exp" and of_b.kind == "max":
            return of_a
        for value, other in ((a, b), (b, a)):
            constant = _number(other)
            if constant is not None:
                return _affine(natures.of(value), 1.0, constant)
        return _both(natures, a, b) or _both(natures, b, a)
    value, constant = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(value, Value) or not isinstance(constant, int | float):
        return None
    before = natures.of(value)
    if before.kind == "exp" and constant == 1:
        return replace(before, kind="exp-plus-one")
    return _affine(before, 1.0, float(constant))


def _both(natures: Natures, a: Value, b: Value) -> Nature | None:
    """y·p + (1 − y)·(1 − p)."""
    parts = []
    for product in (a, b):
        step = product.made_by
        learned = [v for v in step.ins if v.learns] if step is not None and step.op == "mul" else []
        given = [v for v in step.ins if not v.learns] if step is not None else []
        if len(learned) != 1 or len(given) != 1:
            return None
        parts.append((learned[0], given[0]))
    (p, y), (q, c) = parts
    complement = c.made_by is not None and c.made_by.op == "rsub" and same(c.made_by.ins[0], y)
    alike = complement and natures.of(p).squashed and p.shape == y.shape
    return natures._chosen(p, q, y) if alike else None


def _mul(natures: Natures, step: Step, out: Value) -> Nature | None:
    a, b = step.argument(0), step.argument(1, "other")
    if isinstance(a, Value) and isinstance(b, Value):
        for value, other in ((a, b), (b, a)):
            constant = _number(other)
            if constant is not None:
                return _affine(natures.of(value), constant, 0.0)
            before = natures.of(value)
            if not other.learns and _is_positive(other, value):
                return Nature("rectified", value, inner="relu", step=step)
            if not other.learns and _noise(other):
                return before if before.kind != "raw" else None  # dropout
            picks = {"y", "batch", "x"} & natures.trace.sources(other) or not other.tensor.is_floating_point()
            if not other.learns and before.kind in ("softmax", "log") and picks and (value.learns or not a.learns):
                return replace(before, picked=True) if out.shape == value.shape else None
        return None
    value, constant = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(value, Value) or not isinstance(constant, int | float):
        return None
    return _affine(natures.of(value), float(constant), 0.0)


def _is_positive(condition: Value, z: Value) -> bool:
    """Whether a value is z > 0."""
    while condition.made_by is not None and condition.made_by.op in COPYING and condition.made_by.ins:
        condition = condition.made_by.ins[0]
    step = condition.made_by
    return step is not None and step.op in ("gt", "ge") and step.argument(1, "other") == 0 and same(step.ins[0], z)


def _noise(value: Value) -> bool:
    """Whether a value is what dropout multiplies by."""
    while value.made_by is not None and value.made_by.op in ("div", "div_", "_to_copy", *VIEWS) and value.made_by.ins:
        value = value.made_by.ins[0]
    return value.made_by is not None and value.made_by.op in ("bernoulli_", "bernoulli")


def _joined(natures: Natures, step: Step, out: Value) -> Nature | None:
    """Probabilities side by side are probabilities."""
    parts = [natures.of(v) for v in step.ins]
    first = parts[0]
    alike = all(p.squashed and (p.kind, p.low, p.high) == (first.kind, first.low, first.high) for p in parts)
    return replace(first, axis=None, picked=False) if alike else None


def _maximum(natures: Natures, step: Step, out: Value) -> Nature | None:
    """max(z, 0)."""
    learned = [v for v in step.ins if v.learns]
    given = [v for v in step.ins if not v.learns]
    zero = len(learned) == len(given) == 1 and given[0].tensor.numel() > 0 and not bool(given[0].numbers.any())
    constant = zero and natures.trace.sources(given[0]) <= {"constant"}
    return Nature("rectified", learned[0], inner="relu", step=step) if constant else None


def _mean(natures: Natures, step: Step, out: Value) -> Nature | None:
    """A mean of probabilities, over another axis than the classes, is one."""
    x = step.ins[0]
    before, axes = natures.of(x), step.argument(1, "dim")
    if not before.squashed or not isinstance(axes, list | tuple) or not axes or not out.shape:
        return None
    gone = sorted(i % len(x.shape) for i in axes)
    if before.axis in gone:
        return None
    keeps = len(out.shape) == len(x.shape)
    axis = before.axis if before.axis is None or keeps else before.axis - sum(i < before.axis for i in gone)
    return replace(before, axis=axis)


def _neg(natures: Natures, step: Step, out: Value) -> Nature | None:
    return _affine(natures.of(step.ins[0]), -1.0, 0.0)


def _clamp(natures: Natures, step: Step, out: Value) -> Nature | None:
    before, low, high = natures.of(step.ins[0]), step.argument(1, "min"), step.argument(2, "max")
    if before.squashed or before.is_log or before.kind in ("exp", "sum-exp", "shares"):
        eps = float(low) if isinstance(low, int | float) else 0.0
        return replace(before, eps=max(before.eps, eps if before.squashed else 0.0))
    if before.kind == "rectified":
        return before
    if isinstance(low, int | float) and low == 0 and high is None:
        return Nature("rectified", step.ins[0], inner="clamp", step=step)
    if isinstance(low, int | float) and isinstance(high, int | float) and high - low <= 4:
        return Nature("hard", step.ins[0], low=float(low), high=float(high), step=step)
    return before if before.kind != "raw" else None


def _affine(before: Nature, scale: float, shift: float) -> Nature | None:
    """What scaling and shifting leave of a nature."""
    if before.kind == "log":
        return before if shift == 0 or before.is_log else None
    if before.kind == "sum-exp" and scale == 1:
        return before  # + eps
    if before.kind == "max":
        return before if scale == 1 and shift == 0 else None
    if before.kind == "rectified":
        return before if scale > 0 and shift == 0 else None
    if not before.squashed:
        return None
    if scale == 1 and 0 < abs(shift) < 0.01:
        return replace(before, eps=max(before.eps, abs(shift)))
    if scale == 0:
        return None
    ends = sorted((before.low * scale + shift, before.high * scale + shift))
    turned = before.turned != (scale < 0)
    if before.kind == "softmax" and (scale, shift) not in ((1, 0), (-1, 1)):
        return replace(before, kind="scaled", inner="softmax", low=ends[0], high=ends[1]) if scale > 0 else None
    return replace(before, low=ends[0], high=ends[1], turned=turned)


def _number(value: Any) -> float | None:
    """The number that a constant of one element is."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Value) and value.tensor.numel() == 1 and value.made_by is None and value.role == "constant":
        return float(value.numbers) if not value.numbers.is_complex() else None
    if (
        isinstance(value, Value)
        and value.made_by
        and value.made_by.op in ("ones", "ones_like", "full", "full_like", "scalar_tensor")
    ):
        return float(value.numbers.flatten()[0]) if value.tensor.numel() else None
    return None


def _axis(axis: Any, value: Value) -> int | None:
    return axis % max(len(value.shape), 1) if isinstance(axis, int) else None


def unshifted(natures: Natures, value: Value) -> Value:
    """z where a value is z less its greatest element: the same to a softmax."""
    nature = natures.of(value)
    return nature.z if nature.kind == "shifted" else value


def taken_from(part: Value, whole: Value) -> bool:
    """Whether a value is made of elements of another, picked or masked and summed."""
    todo, whole = part, original(whole)
    for _ in range(12):
        if original(todo) is whole:
            return True
        if todo.made_by is None or not (todo.made_by.op in VIEWS or todo.made_by.op in ("mul", "sum")):
            return False
        learned = [v for v in todo.made_by.ins if v.learns]
        if len(learned) != 1:
            return False
        todo = learned[0]
    return False


RULES: dict[str, Callable[[Natures, Step, Value], Nature | None]] = {
    "sigmoid": _squash("sigmoid"), "sigmoid_": _squash("sigmoid"), "special_expit": _squash("sigmoid"),
    "tanh": _squash("tanh"), "tanh_": _squash("tanh"), "_softmax": _squash("softmax"), "_safe_softmax": _squash("softmax"),
    "hardsigmoid": _squash("hard"), "hardsigmoid_": _squash("hard"),
    "_log_softmax": _log_softmax, "log_sigmoid_forward": _log_sigmoid, "log": _log, "log_": _log, "log2": _log, "log10": _log,
    "maximum": _maximum, "cat": _joined, "stack": _joined, "mean": _mean, "log1p": _log1p, "exp": _exp, "exp_": _exp,
    "linalg_vector_norm": _norm, "pow": _power, "square": _power,
    "sum": _sum, "amax": _sum, "max": _sum, "logsumexp": _sum,
    "sub": _difference, "sub_": _difference, "rsub": _difference, "div": _quotient, "div_": _quotient, "reciprocal": _reciprocal,
    "add": _add, "add_": _add, "mul": _mul, "mul_": _mul, "neg": _neg, "neg_": _neg, "clamp": _clamp, "clamp_": _clamp,
    "clip": _clamp, "clamp_max": lambda n, s, o: n.of(s.ins[0]) if n.of(s.ins[0]).kind != "raw" else None,
}  # fmt: skip
