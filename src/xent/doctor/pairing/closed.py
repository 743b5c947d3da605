"""The pairing at a site of xent's own: error, δ and gain in closed form, in float64, and so free of weights and reductions.

As in the statistics of `xent.cross_entropy`, z are the final logits, after softcap and temperature, and δ is that of the cost
alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xent.costs import MarginCost
from xent.doctor import ours
from xent.doctor.carrying import MOST
from xent.doctor.natures import REACH
from xent.doctor.observe import Observation
from xent.doctor.pairing.pairing import Pairing, Unseen, ends_of
from xent.doctor.pairing.targets import distribution, elementwise, evenly
from xent.doctor.sites import Site
from xent.errors import XentError
from xent.outputs.smoothed import Smoothed


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
    plain, squash, ends = ours.beneath(output), output.activation.name, ends_of(output.activation.name)
    if isinstance(plain.cost, MarginCost):
        squash, a, y = "margin", torch.sigmoid(z), (y > 0).double()
    elif isinstance(output, Smoothed):
        y = a - difference  # the target that the cost really uses
    squash = squash if squash in (*REACH, "margin") else "identity"
    return Pairing.of(
        site, str(plain), squash, site.input, z=z, a=a, y=y, delta=delta, difference=difference, ends=ends
    )  # fmt: skip


def _rows(site: Site) -> tuple[Tensor, Tensor]:
    z, axis = site.input.numbers, site.axis
    if axis is None or axis >= z.ndim:
        raise Unseen("class-axis")
    classes = max(z.shape[axis], 1)
    some = evenly(z.numel() // classes, MOST // classes)
    y, keep, _ = distribution(site, tuple(z.shape), axis, some)
    z = ours.final(z.movedim(axis, -1).reshape(-1, z.shape[axis])[some].double(), site.option)
    return z[keep], y[keep][:, : z.shape[-1]]


def _elements(site: Site) -> tuple[Tensor, Tensor]:
    z = site.input.numbers
    if z.numel() > MOST:
        raise Unseen(f"large|{z.numel():,}")
    return z.flatten().double(), elementwise(site, tuple(z.shape)).flatten()
