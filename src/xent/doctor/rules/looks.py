"""What targets look like, measured on the targets themselves, never on the answers; and where in the model a cost meets them."""

from __future__ import annotations

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


def said(case: Case, site: Site) -> dict[str, str]:
    """What every text about targets names: the cost, both shapes, and what PyTorch said."""
    return {
        "cost": site.call.name if site.call is not None else "by-hand",
        "input": str(list(site.input.shape)),
        "target": str(list(site.target.shape)) if isinstance(site.target, Value) else str(site.target),
        "raised": site.raised,
    }


def signed(y: Tensor) -> bool:
    """Whether all targets are −1 or 1, and some −1."""
    return y.numel() > 1 and bool(((y == 1) | (y == -1)).all()) and bool((y == -1).any())


def placed(case: Case, site: Site, nature: Nature | None = None) -> dict[str, str]:
    """Where things ran, as a person would look it up in this model."""
    nature = nature or site.nature
    step = nature.step
    inside = step is not None and step.in_model
    squash = {"log": f"log-{nature.inner}", "rectified": nature.inner}.get(nature.kind, nature.kind)
    return {
        "squash": squash,
        "where": case.place(step.where) if step is not None and inside else "criterion",
        "cost": site.call.name if site.call is not None else "by-hand",
        "layer": layer_of(case, nature.z),
    }


def layer_of(case: Case, value: Value) -> str:
    """The layer that makes the logits."""
    step = case.weighted(value)
    return case.place(step.where) if step is not None else "model"
