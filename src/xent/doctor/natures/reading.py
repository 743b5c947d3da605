"""The natures of a whole trace, read step by step as it ran."""

from __future__ import annotations

from collections.abc import Callable

from xent.doctor.carrying import VIEWS
from xent.doctor.natures import arithmetic, functions, moved, sums
from xent.doctor.natures.nature import Nature
from xent.doctor.trace import Step, Trace, Value

SEVERAL = ("split", "split_with_sizes", "unbind", "chunk")
"""Operations all of whose results are parts of what went in; of others only the first is."""


class Natures:
    """The nature of every value of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._of: dict[int, Nature] = {}
        for step in trace.steps:
            rule = RULES.get(step.op)
            if rule is None or not step.ins:
                continue
            for out in step.outs if step.op in SEVERAL else step.outs[:1]:
                made = rule(self, step, out)
                if made is not None:
                    self._of[out.id] = made

    def of(self, value: Value) -> Nature:
        """The nature of a value; raw where nothing is known of it but its numbers."""
        return self._of.get(value.id) or Nature("raw", value)


RULES: dict[str, Callable[[Natures, Step, Value], Nature | None]] = {
    **dict.fromkeys(VIEWS | moved.KEEPING, moved.moved),
    **dict.fromkeys(functions.RECTIFYING, functions.rectified),
    **dict.fromkeys(("sigmoid", "sigmoid_", "special_expit"), functions.squash("sigmoid")),
    **dict.fromkeys(("tanh", "tanh_"), functions.squash("tanh")),
    **dict.fromkeys(("_softmax", "_safe_softmax"), functions.squash("softmax")),
    **dict.fromkeys(("hardsigmoid", "hardsigmoid_"), functions.squash("hard")),
    **dict.fromkeys(("log", "log_", "log2", "log10"), functions.log),
    **dict.fromkeys(("exp", "exp_"), functions.exp),
    **dict.fromkeys(("clamp", "clamp_", "clip"), functions.clamp),
    **dict.fromkeys(("pow", "square"), functions.power),
    **dict.fromkeys(("sum", "amax", "max", "logsumexp"), sums.total),
    **dict.fromkeys(("cat", "stack"), sums.joined),
    **dict.fromkeys(("add", "add_"), arithmetic.added),
    **dict.fromkeys(("sub", "sub_", "rsub"), arithmetic.difference),
    **dict.fromkeys(("neg", "neg_"), arithmetic.negative),
    **dict.fromkeys(("mul", "mul_"), arithmetic.product),
    **dict.fromkeys(("div", "div_"), arithmetic.quotient),
    "_log_softmax": functions.log_softmax,
    "log_sigmoid_forward": functions.log_sigmoid,
    "log1p": functions.log1p,
    "maximum": functions.maximum,
    "clamp_max": functions.kept,
    "linalg_vector_norm": sums.norm,
    "mean": sums.mean,
    "reciprocal": arithmetic.reciprocal,
}
"""What each operation makes of the natures of what went in; operations that are not here make something raw."""
