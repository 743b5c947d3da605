"""What targets look like, measured on the targets themselves, never on the answers; and where in the model a cost meets them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from xent.doctor.evidence import Case
from xent.doctor.natures import Nature
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value

PICKS = ("cross-entropy", "nll", "log-pick")
LOGARITHMS = ("nll", "kl")
PROBABLE = ("bce", "bce-logits", "bce-by-hand")
ELEMENTWISE = (*ERRORS, *PROBABLE, "logistic", "poisson", "gaussian", "hinge")
NEAR = 1e-3


def binary(y: Tensor) -> bool:
    """Whether all targets are 0 or 1."""
    return bool(((y == 0) | (y == 1)).all()) and y.numel() > 0


def one_hot(y: Tensor) -> int | None:
    """The axis along which exactly one of several targets is 1, everywhere (four rows at least); None if there is none."""
    if y.ndim < 2 or not binary(y):
        return None
    for axis in (y.ndim - 1, 1):
        if y.shape[axis] > 1 and y.numel() // y.shape[axis] >= 4 and bool((y.sum(dim=axis) == 1).all()):
            return axis
    return None


def multi_hot(y: Tensor, axis: int) -> float | None:
    """The share of rows with several labels, or none, where targets are 0 and 1; None where each row has one."""
    if not binary(y) or y.shape[axis] < 2:
        return None
    sums = y.double().sum(dim=axis)
    several = float((sums > 1).double().mean())
    none = float((sums == 0).double().mean())
    return several + none if several > 0 else None


def classes_of(site: Site) -> int | None:
    """How many classes the input of a site has."""
    shape = site.input.shape
    return shape[site.axis] if site.axis is not None and site.axis < len(shape) else None


def width(site: Site) -> int:
    """How many classes its input has, along the last axis where none is said to be theirs."""
    return classes_of(site) or next(reversed(site.input.shape), 1)


def told(cost: str, input: Any = "", target: Any = "", raised: str = "") -> dict[str, str]:
    """What every text about targets names: the cost, both shapes, and what PyTorch said."""
    input, target = (str(list(v.shape)) if isinstance(v, Value) else str(v) for v in (input, target))
    return {"cost": cost, "input": input, "target": target, "raised": raised}


def said(site: Site) -> dict[str, str]:
    """The same of a site."""
    return told(_name(site), site.input, site.target, site.raised)


def _name(site: Site) -> str:
    return site.call.name if site.call is not None else "by-hand"


def signed(y: Tensor) -> bool:
    """Whether all targets are −1 or 1, and some −1."""
    return y.numel() > 1 and bool(((y == 1) | (y == -1)).all()) and bool((y == -1).any())


def placed(case: Case, site: Site, nature: Nature | None = None) -> dict[str, str]:
    """Where things ran, as a person would look it up in this model."""
    nature = nature or site.nature
    step = nature.step
    return {
        "squash": {"log": f"log-{nature.inner}", "rectified": nature.inner}.get(nature.kind, nature.kind),
        "where": case.place(step.where) if step is not None and step.in_model else "criterion",
        "cost": _name(site),
        "layer": layer_of(case, nature.z),
    }


def layer_of(case: Case, value: Value) -> str:
    """The layer that makes the logits."""
    step = case.weighted(value)
    return case.place(step.where) if step is not None else "model"
