"""The site of a cost that could not be looked into, known by its δ: that of cross-entropy, or of the squared error."""

from __future__ import annotations

import torch
from torch import Tensor

import xent.outputs
from xent.doctor.natures import Natures
from xent.doctor.observe import Observation
from xent.doctor.pairing import measured
from xent.doctor.pairing.pairing import Unseen
from xent.doctor.sites import Site
from xent.doctor.trace import Value
from xent.errors import XentError


def opaque(seen: Observation, natures: Natures, answers: list[Value], targets: list[Value]) -> Site | None:
    """The site of one of these answers with one of these targets; only what agrees on every sample, up to one factor, counts."""
    for a in answers:
        delta = seen.gradient([a.tensor])[0] if a.learns and a.shape and not a.overwritten else None
        if delta is None or not bool(torch.isfinite(delta).all()):
            continue
        for site in (site for y in targets for site in _guesses(a, y, natures)):
            if _agrees(seen, site):
                return site
    return None


def _guesses(a: Value, y: Value, natures: Natures) -> list[Site]:
    nature = natures.of(a)
    if nature.is_log:
        return [Site("nll", a, y, nature.axis, nature=nature)]
    forms = [Site("squared", a, y, nature=nature)]
    if len(a.shape) > 1 and a.shape[-1] > 1 and nature.kind == "raw":
        forms += [Site("cross-entropy", a, y, len(a.shape) - 1, nature=nature)]
        forms += [Site("cross-entropy", a, y, 1, nature=nature)] if len(a.shape) > 2 else []
    if a.shape == y.shape:
        forms.append(Site("bce" if nature.squashed else "bce-logits", a, y, nature=nature))
    return forms


def _agrees(seen: Observation, site: Site) -> bool:
    """Whether δ is that of the closed form, up to a factor."""
    try:
        pairing = measured.read(seen, site)
        closed = xent.outputs.output(pairing.name).delta(pairing.z, pairing.y)
    except (Unseen, XentError):  # a guess that does not even fit
        return False
    return _parallel(pairing.delta, closed)


def _parallel(a: Tensor, b: Tensor) -> bool:
    a, b = a.flatten(), b.flatten()
    size = a.norm() * b.norm()
    return bool(size > 0) and float((a @ b) / size) > 1 - 1e-6
