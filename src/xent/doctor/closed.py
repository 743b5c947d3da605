"""The pairing at a site of xent's own: error, δ and gain in closed form, in float64, and so free of weights and reductions.

Stands on `pairing`; beside its `read`, which measures what others wrote. As in the statistics of `xent.cross_entropy`, z are the
final logits, after softcap and temperature, and δ is that of the cost alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from xent.costs import MarginCost
from xent.doctor import ours
from xent.doctor.observe import Observation
from xent.doctor.pairing import MOST, STALLED_ERROR, STALLED_GAIN, Pairing, Unseen, distribution, elementwise
from xent.doctor.sites import Site
from xent.errors import XentError
from xent.outputs import Output
from xent.outputs.smoothed import Smoothed

SQUASHING = ("sigmoid", "tanh", "softmax")


def read(seen: Observation, site: Site) -> Pairing:
    """The pairing at a site whose output is known; raises Unseen with the reason where it cannot be read."""
    output = site.output
    assert output is not None
    if seen.cost is None:
        raise Unseen("no-cost")
    z, y = _rows(site) if output.activation.vector else _elements(site)
    if not z.numel():
        raise Unseen("none-counts")
    if not bool(torch.isfinite(y).all()):
        raise Unseen("targets-not-finite")
    try:
        a, difference, delta = output.predict(z), output.error(z, y), output.delta(z, y)
    except XentError:
        raise Unseen("way") from None
    if not bool(torch.isfinite(delta).all()):
        raise Unseen("not-finite")
    return _told(site, output, z, a, y, difference, delta)


def _rows(site: Site) -> tuple[Tensor, Tensor]:
    z, axis = site.input.numbers, site.axis
    if axis is None or axis >= z.ndim:
        raise Unseen("class-axis")
    n = z.numel() // max(z.shape[axis], 1)
    most = max(1, MOST // max(z.shape[axis], 1))
    some: Any = torch.linspace(0, n - 1, most).long() if n > most else slice(None)
    y, keep, _ = distribution(site, tuple(z.shape), axis, some)
    z = ours.final(z.movedim(axis, -1).reshape(-1, z.shape[axis])[some].double(), site.option)
    return z[keep], y[keep][:, : z.shape[-1]]


def _elements(site: Site) -> tuple[Tensor, Tensor]:
    z = site.input.numbers
    if z.numel() > MOST:
        raise Unseen(f"large|{z.numel():,}")
    y, keep = elementwise(site, tuple(z.shape))
    return z.flatten()[keep].double(), y.flatten()[keep].double()


def _told(site: Site, output: Output, z: Tensor, a: Tensor, y: Tensor, difference: Tensor, delta: Tensor) -> Pairing:
    """The numbers of each sample; y is the target that the cost really uses."""
    squash = output.activation.name
    low, high = (-1.0, 1.0) if squash == "tanh" else (0.0, 1.0)
    if isinstance(ours.beneath(output).cost, MarginCost):
        squash, a, y = "margin", torch.sigmoid(z), (y > 0).double()
    elif isinstance(output, Smoothed):
        y = a - difference
    squash = squash if squash in (*SQUASHING, "margin") else "identity"
    worst = difference.abs() / (high - low)
    error, correction = difference.abs(), delta.abs()
    if z.ndim == 2:
        error, worst, correction = difference.norm(dim=-1), worst.amax(dim=-1), delta.norm(dim=-1)
    gain = torch.where(error > 0, correction / error.clamp_min(1e-300), torch.ones_like(error))
    stalled = (worst > STALLED_ERROR) & (gain < STALLED_GAIN) if squash in SQUASHING else worst < -1
    at_ends = ((y - low).abs() < 1e-6) | ((y - high).abs() < 1e-6)
    label = y.argmax(dim=-1) if z.ndim == 2 else (y > (low + high) / 2).long()
    hard = bool(at_ends.all()) and squash != "identity"
    name = str(ours.beneath(output))
    return Pairing(site, name, squash, site.input, z, a, y, delta, error, worst, correction, gain, stalled, label, hard)
