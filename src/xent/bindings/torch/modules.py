"""Costs as modules: PyTorch's CrossEntropyLoss with more options, and any output of xent as a criterion on logits."""

from __future__ import annotations

from math import prod
from typing import Any, Unpack

from torch import Tensor, nn

from xent.bindings.torch import criteria, functional
from xent.bindings.torch.functional import More
from xent.errors import InputError, ShapeError
from xent.ops.linear.inputs import MEMORY
from xent.ops.options import DEFAULTS, NAMES, Options
from xent.outputs import output as output_of


class _Option:
    """An option as an attribute, as PyTorch's modules have them: what is set is checked, and counts from the next call on."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        return self if module is None else module.options.get(self.name, getattr(DEFAULTS, self.name))

    def __set__(self, module: Any, value: Any) -> None:
        told = {**module.options, self.name: value}
        module.check(told)
        module.options = told


class _Told(nn.Module):
    """A module with the options of cross-entropy; `options` holds those that were given."""

    weight: Tensor | None
    options: dict[str, Any]
    ignore_index, label_smoothing, reduction = _Option(), _Option(), _Option()
    z_loss, softcap, temperature, shape, denominator = _Option(), _Option(), _Option(), _Option(), _Option()
    on_empty, valid_classes, stats, axis = _Option(), _Option(), _Option(), _Option()

    @staticmethod
    def check(told: dict[str, Any]) -> None:
        """Raise for options that are none."""
        Options.of(told)

    def extra_repr(self) -> str:
        return _unusual(self.options)


class CrossEntropyLoss(_Told):
    """torch.nn.CrossEntropyLoss: the same arguments and layouts, exact, fused on the CPU, with more options.

    `weight` is a buffer, as in PyTorch; the other keywords are those of `xent.torch.cross_entropy`. Options are checked here, and
    where they are set later, as attributes.

    >>> criterion = CrossEntropyLoss(label_smoothing=0.1, z_loss=1e-4)
    >>> criterion.reduction = "sum"
    >>> criterion
    CrossEntropyLoss(reduction='sum', label_smoothing=0.1, z_loss=0.0001)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        **more: Unpack[More],
    ) -> None:
        super().__init__()
        functional.refuse_deprecated(size_average, reduce)
        own: Any = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing, **more}
        self.check(own)
        self.register_buffer("weight", weight)
        self.options = own

    def forward(self, input: Tensor, target: Tensor) -> Any:
        return functional.cross_entropy(input, target, self.weight, **self.options)


def _unusual(options: dict[str, Any]) -> str:
    """The options that are not as usual, as they would be written."""
    usual = {"memory": MEMORY, **{name: getattr(DEFAULTS, name) for name in NAMES}}
    return ", ".join(f"{k}={v!r}" for k, v in options.items() if v is not None and v != usual[k])


class LinearCrossEntropyLoss(_Told):
    """torch.nn.LinearCrossEntropyLoss: the last layer and its cost in one, the same arguments, without ever holding the logits.

    The layer is `.linear`, as in PyTorch, so that a state dict fits both; tie it to an embedding by setting `.linear.weight`.
    The other keywords are those of `xent.torch.linear_cross_entropy`. Options are checked here, and where they are set later, as
    attributes.

    >>> import torch
    >>> criterion = LinearCrossEntropyLoss(16, 1000, label_smoothing=0.1, memory=2**20)
    >>> criterion
    LinearCrossEntropyLoss(
      label_smoothing=0.1, memory=1048576
      (linear): Linear(in_features=16, out_features=1000, bias=False)
    )
    >>> criterion(torch.zeros(8, 16), torch.arange(8)).round(decimals=4)
    tensor(6.9078, grad_fn=<RoundBackward1>)
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
        memory: int = MEMORY,
        **more: Unpack[More],
    ) -> None:
        super().__init__()
        own: Any = {"reduction": reduction, "label_smoothing": label_smoothing, **more, "ignore_index": ignore_index}
        self.check(own)
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(f"weight is one number per class, shape ({num_classes},), but shape {tuple(weight.shape)} came.")
        self.register_buffer("weight", weight)
        self.linear = nn.Linear(in_features, prod(out_features, start=num_classes), bias=bias, device=device, dtype=dtype)
        self.num_classes, self.out_features = num_classes, out_features
        self.options = {**own, "memory": memory}

    @staticmethod
    def check(told: dict[str, Any]) -> None:
        """As of every cost; no ignore_index is the usual one, as in PyTorch."""
        usual = ("memory", "ignore_index") if told.get("ignore_index") is None else ("memory",)
        Options.of({name: value for name, value in told.items() if name not in usual})

    def forward(self, input: Tensor, target: Tensor) -> Any:
        shape = (self.num_classes, *self.out_features)
        weight = self.linear.weight.reshape(*shape, -1)
        bias: Tensor | None = self.linear.bias
        bias = None if bias is None else bias.reshape(shape)
        return functional.linear_cross_entropy(input, weight, target, linear_bias=bias, weight=self.weight, **self.options)


class Criterion(nn.Module):
    """Any output as a criterion on logits: the cost C(σ(z), y), its gradient exactly the output's δ.

    output     a name such as "focal(gamma=2)@softmax" or "quadratic@sigmoid", or an `xent.Output`; kept as `.output`
    reduction  none: a cost for each number, for a softmax each row; mean and sum of these; batchmean: their sum divided by the
               length of the first axis, which is the cost of a network: units summed, samples averaged
    axis       the class axis of a softmax; else PyTorch's layout, (C,), (N, C) or (N, C, d1, …)

    Called with logits z and targets y: of z's shape, or class indices for a softmax. Shapes that do not fit raise ShapeError,
    targets that the cost does not take TargetError. Differentiates twice, in forward mode and under torch.func.

    >>> import torch
    >>> z = torch.tensor([2.0, -1.0], requires_grad=True)
    >>> criterion = Criterion("quadratic@sigmoid", reduction="sum")
    >>> criterion(z, torch.tensor([0.0, 0.0])).backward()
    >>> torch.equal(z.grad, criterion.output.delta(z.detach(), torch.tensor([0.0, 0.0])))
    True
    """

    def __init__(self, output: Any, reduction: str = "mean", *, axis: int | None = None) -> None:
        super().__init__()
        self.output = output_of(output)
        if reduction not in criteria.REDUCTIONS:
            raise InputError(f"reduction is one of {', '.join(criteria.REDUCTIONS)}, but {reduction!r:.60} came.")
        if axis is not None and not self.output.activation.vector:
            raise InputError(f"{self.output} is elementwise and has no class axis: leave axis={axis} out.")
        self.reduction = reduction
        self.axis = axis
        self._name = criteria.name_of(self.output)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        axis = self.axis
        if axis is None and self.output.activation.vector:
            axis = 1 if z.ndim > 1 else 0
        return criteria.cost(z, y, self.output, self._name, self.reduction, axis)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, or one from another process: its output has a name of its own."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._name = criteria.name_of(self.output)

    def extra_repr(self) -> str:
        axis = "" if self.axis is None else f", axis={self.axis}"
        return f"{str(self.output)!r}, reduction={self.reduction!r}{axis}"
