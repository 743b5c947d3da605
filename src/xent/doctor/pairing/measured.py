"""The pairing at a site, measured: δ comes from autograd through everything that the criterion does.

What the reduction divides by is taken out again, so that δ is that of the unreduced, unweighted cost and gain = ‖δ‖/‖a − y‖ means
the same as everywhere in xent.
"""

from __future__ import annotations

import torch
from torch import Tensor

import xent.outputs
from xent.doctor.carrying import MOST, carry, numbered, original
from xent.doctor.observe import Observation
from xent.doctor.pairing.pairing import Pairing, Unseen, ends_of, size
from xent.doctor.pairing.reduction import counted, scale
from xent.doctor.pairing.targets import distribution, elementwise, evenly
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value
from xent.errors import XentError

CLASSES = ("cross-entropy", "nll", "log-pick", "log-weighted", "kl", "multi-margin")
YES_NO = ("bce", "bce-logits", "bce-by-hand", "log-sigmoid-pick")
COSTS = {"squared": "quadratic", "absolute": "absolute", "huber": "other"}


def read(seen: Observation, site: Site) -> Pairing:
    """The pairing at a site; raises Unseen with the reason where it cannot be read."""
    if seen.cost is None:
        raise Unseen("no-cost")
    z_value, squash = _before(site)
    delta, z = _delta(seen, site, z_value), z_value.numbers
    if z.numel() <= MOST:
        frame = carry(z_value, site.input, numbered(z_value))
        if frame is None:
            raise Unseen("way")
        z, delta = z.flatten()[frame], delta.flatten()[frame]
    elif squash != "softmax" or original(z_value) is not original(site.input):
        raise Unseen(f"large|{z.numel():,}")
    if not bool(torch.isfinite(delta).all()) or not bool(torch.isfinite(z).any()):
        raise Unseen("not-finite")
    z, y, delta, n = (_rows if squash == "softmax" else _elements)(seen, site, z, delta)
    if not z.numel():
        raise Unseen("none-counts")
    if not bool(torch.isfinite(y).all()):
        raise Unseen("targets-not-finite")
    return _told(site, squash, z_value, z, y, delta, scale(seen, site, n, z.shape[-1] if z.ndim == 2 else 1))


def _rows(seen: Observation, site: Site, z: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
    """z, y, δ of the rows that are looked at and count, classes last; and how many of all rows count."""
    shape, axis = tuple(z.shape), site.class_axis
    if axis is None or axis >= len(shape):
        raise Unseen("class-axis")
    classes = shape[axis]
    some = evenly(z.numel() // classes, MOST // classes)
    z, delta = (t.movedim(axis, -1).reshape(-1, classes)[some].double() for t in (z, delta))
    y, keep, n = distribution(site, shape, axis, some)
    smoothing = float(site.option("label_smoothing", 0.0) or 0.0)
    y = y * (1 - smoothing) + smoothing / classes
    keep = keep & counted(seen, site, (*shape[:axis], *shape[axis + 1 :]))[some]
    return z[keep], y[keep], delta[keep], n


def _elements(seen: Observation, site: Site, z: Tensor, delta: Tensor) -> tuple[Tensor, Tensor, Tensor, int]:
    """z, y, δ of the elements that count, and how many they are."""
    shape = tuple(z.shape)
    y, keep = elementwise(site, shape), counted(seen, site, shape)
    z, y, delta = (t.flatten()[keep].double() for t in (z, y, delta))
    return z, y, delta, len(z)


def _before(site: Site) -> tuple[Value, str]:
    """z and what squashes it."""
    nature = site.nature
    if site.form in CLASSES or nature.of_softmax:
        known = nature.squashed or (nature.kind == "log" and nature.inner == "softmax")
        return nature.z if known else site.input, "softmax"
    if site.form in YES_NO:
        return site.logits, "sigmoid"
    if site.form in ERRORS:
        return (nature.z, nature.kind) if nature.squashed else (site.input, "identity")
    if site.form == "logistic":
        return site.input, "margin"
    raise Unseen(f"no-gain|{site.form}")


def _delta(seen: Observation, site: Site, z_value: Value) -> Tensor:
    """∂cost/∂z, measured; where z has been overwritten in place, through the operation that did it."""
    if not z_value.overwritten:
        found = seen.gradient([z_value.tensor])[0]
        if found is None and original(z_value) is original(site.input):
            found = seen.gradient([site.input.tensor])[0]
        if found is None:
            raise Unseen("no-gradient")
        return found.detach()
    back = seen.gradient([site.input.tensor])[0]
    squash = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}.get(site.nature.kind)
    if back is None or squash is None or site.input.shape != z_value.shape:
        raise Unseen("in-place")
    z = z_value.numbers.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(squash(z), z, back)[0].detach()


def _told(site: Site, squash: str, z_value: Value, z: Tensor, y: Tensor, delta: Tensor, scale: float | None) -> Pairing:
    """The numbers of each sample, δ without the factor of the reduction."""
    nature, name, ends = site.nature, _name(site, squash), ends_of(squash)
    if squash == "margin":
        a, y = torch.sigmoid(z), (y > 0).double()
    elif squash == "softmax":
        a = torch.softmax(z, dim=-1)
        y = 1 - y if nature.turned and site.form in ERRORS else y
    elif squash in ("sigmoid", "tanh"):
        a = torch.sigmoid(z) if squash == "sigmoid" else torch.tanh(z)
        if nature.squashed and site.form in ERRORS:  # the target of a scaled answer
            share = (y - nature.low) / (nature.high - nature.low)
            share = 1 - share if nature.turned else share
            y = ends[0] + share * (ends[1] - ends[0])
    elif squash == "hard":
        a, ends = site.input.numbers.double().flatten()[: len(z)], (nature.low, nature.high)
    else:
        a = z
    if scale and site.form in ERRORS and nature.squashed:
        scale *= ((nature.high - nature.low) / (ends[1] - ends[0])) ** (2 if site.form == "squared" else 1)
    delta = delta / (scale or _fitted(name, z, y, delta, size(a - y)))
    return Pairing.of(site, name, squash, z_value, z=z, a=a, y=y, delta=delta, difference=a - y, ends=ends)


def _name(site: Site, squash: str) -> str:
    """Cost and activation in xent's words; `other` for what is none of its costs."""
    form, nature = site.form, site.nature
    if squash == "margin":
        return "logistic@identity"
    cost = COSTS.get(form, "cross-entropy" if squash in ("softmax", "sigmoid", "tanh") else "other")
    if squash == "softmax":
        odd = form in ("multi-margin", "bce", "bce-logits") or (nature.squashed and form in ("cross-entropy", "nll", "kl"))
    else:
        twice = nature.squashed and form not in ERRORS and (form == "bce-logits" or nature.kind != "sigmoid")
        odd = squash == "hard" or (twice and squash in ("sigmoid", "tanh"))
    return f"{'other' if odd else cost}@{squash}"


def _fitted(name: str, z: Tensor, y: Tensor, delta: Tensor, error: Tensor) -> float:
    """The factor between the measured δ and that of the closed form: the middle one of all samples."""
    expected = error
    if not name.startswith(("other", "logistic")):
        try:
            expected = size(xent.outputs.output(name).delta(z, y))
        except XentError:  # targets that the cost refuses: its error has to do
            expected = error
    measured = size(delta)
    useful = (expected > 1e-6 * expected.max()) & (measured > 0)
    return float((measured[useful] / expected[useful]).median()) if bool(useful.any()) else 1.0
