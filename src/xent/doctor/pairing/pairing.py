"""The numbers of one site, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from xent.doctor.natures import REACH
from xent.doctor.sites import Site
from xent.doctor.trace import Value

STALLED_ERROR, STALLED_GAIN = 0.5, 0.1


class Unseen(Exception):  # noqa: N818 - nothing went wrong
    """Why a pairing could not be read: a key of the texts, and a detail after a bar."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """What one site does with each sample. Rows are samples (each element, where the output is elementwise).

    z, a, y, delta: (n,) or (n, K) in float64; error, correction = ‖δ‖, gain, stalled, label: (n,).
    """

    site: Site
    name: str
    """Cost and activation in xent's words, such as quadratic@sigmoid; other@softmax where the cost is not of the catalogue."""
    squash: str
    z_value: Value
    z: Tensor
    a: Tensor
    y: Tensor
    delta: Tensor
    error: Tensor
    worst: Tensor
    """The greatest error of a sample, as a share of the range."""
    correction: Tensor
    gain: Tensor
    stalled: Tensor
    label: Tensor
    hard: bool
    """Whether every target is at an end of the range (a class, not a number in between)."""

    @classmethod
    def of(
        cls, site: Site, name: str, squash: str, z_value: Value, *,
        z: Tensor, a: Tensor, y: Tensor, delta: Tensor, difference: Tensor, ends: tuple[float, float],
    ) -> Pairing:  # fmt: skip
        """All numbers from these; `difference` is a − y as it is known best, `ends` where the answers end."""
        low, high = ends
        worst = difference.abs() / (high - low)
        worst = worst.amax(dim=-1) if z.ndim == 2 else worst
        error, correction = size(difference), size(delta)
        gain = torch.where(error > 0, correction / error.clamp_min(1e-300), torch.ones_like(error))
        stalled = (worst > STALLED_ERROR) & (gain < STALLED_GAIN) & (squash in REACH)
        label = y.argmax(dim=-1) if z.ndim == 2 else (y > (low + high) / 2).long()
        at_ends = ((y - low).abs() < 1e-6) | ((y - high).abs() < 1e-6)
        hard = bool(at_ends.all()) and squash != "identity"
        return cls(site, name, squash, z_value, z, a, y, delta, error, worst, correction, gain, stalled, label, hard)

    @property
    def vector(self) -> bool:
        """Whether a sample has several outputs that belong together."""
        return self.z.ndim == 2

    @property
    def fits(self) -> bool:
        """Whether the targets are what cross-entropy takes."""
        low, high = ends_of(self.squash)
        inside = bool((self.y >= low - 1e-9).all()) and bool((self.y <= high + 1e-9).all())
        return inside and (not self.vector or bool(((self.y.sum(dim=-1) - 1).abs() < 1e-4).all()))

    @property
    def wrong(self) -> Tensor:
        """Samples with an error above half of the range."""
        return self.worst > STALLED_ERROR

    @property
    def stalled_share(self) -> float:
        """The share of the wrong samples that are stalled."""
        n = int(self.wrong.sum())
        return float(self.stalled.sum()) / n if n else 0.0


def size(t: Tensor) -> Tensor:
    """The absolute value of each element, or the norm of each row."""
    return t.norm(dim=-1) if t.ndim == 2 else t.abs()


def ends_of(squash: str) -> tuple[float, float]:
    """Where the answers of an activation end; of one without ends, where targets are taken to lie."""
    return REACH.get(squash, (0.0, 1.0))
