"""What a model is really to learn, told on its logits: the cost that fits, and the one measure that old and new are judged by.

The measure is the same for both: accuracy and the mean log-probability of the target (of a number: of the Gaussian with unit
variance, less its constant), from the logits z, whatever stood between them and the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor

from xent.doctor.carrying import carry, numbered, original
from xent.doctor.pairing import Pairing
from xent.doctor.sites import Site
from xent.doctor.trace import Value


@dataclass(frozen=True, eq=False)
class Goal:
    """Where the logits are (a value of the trace, and which of its elements), what squashes them, and the targets.

    frame: indices into z, (n, K) for a softmax, (n,) otherwise; y: (n,) classes or (n, K) distributions, (n,) otherwise.
    """

    z: Value
    frame: Tensor
    squash: str
    y: Tensor

    def cost(self, z: Tensor) -> Tensor:
        """The cost that fits, as a mean over samples."""
        z = z.flatten()[self.frame].float() if z.dtype in (torch.float16, torch.bfloat16) else z.flatten()[self.frame]
        if self.squash == "softmax":
            return F.cross_entropy(z, self.y if not self.y.is_floating_point() else self.y.to(z.dtype))
        if self.squash == "sigmoid":
            return F.binary_cross_entropy_with_logits(z, self.y.to(z.dtype))
        return F.mse_loss(z, self.y.to(z.dtype)) / 2

    def score(self, z: Tensor) -> tuple[float, float]:
        """(accuracy, mean log-probability of the target); nan for the accuracy of numbers."""
        z = z.detach().double().flatten()[self.frame]
        if self.squash == "softmax":
            hard = self.y.argmax(dim=-1) if self.y.is_floating_point() else self.y
            right = (z.argmax(dim=-1) == hard).double().mean()
            logp = torch.log_softmax(z, dim=-1)
            mean = (logp * self.y).sum(dim=-1).mean() if self.y.is_floating_point() else logp.gather(1, hard[:, None]).mean()
        elif self.squash == "sigmoid":
            y = self.y.double()
            right = ((z > 0) == (y > 0.5)).double().mean()
            mean = -F.binary_cross_entropy_with_logits(z, y)
        else:
            right = torch.tensor(float("nan"))
            mean = -((z - self.y) ** 2).mean() / 2
        return float(right), float(mean)


def of_site(site: Site, squash: str, y: Tensor, *, axis: int | None = None, z: Value | None = None) -> Goal | None:
    """The goal at a site with its targets set right; None where logits and targets cannot be brought together."""
    if _bent(site):
        return None
    z = z if z is not None else original(site.nature.z)
    frame = _frame(site, z)
    return None if frame is None else arranged(z, frame, squash, y, axis)


def _frame(site: Site, z: Value) -> Tensor | None:
    """Which element of z each element of the site's input was made from."""
    found = carry(z, site.input, numbered(z))
    return numbered(z) if found is None and z.shape == site.input.shape else found


def _bent(site: Site) -> bool:
    """Whether the cost changes the logits before its softmax, which the measure knows nothing of."""
    changed = site.option("temperature", 1.0) != 1 or any(site.option(name) for name in ("softcap", "valid_classes"))
    return site.output is not None and changed


def arranged(z: Value, frame: Tensor, squash: str, y: Tensor, axis: int | None) -> Goal | None:
    """Rows of the frame and their targets; None where their numbers differ."""
    if squash == "softmax":
        if axis is None or axis >= frame.ndim:
            return None
        rows = frame.movedim(axis, -1).reshape(-1, frame.shape[axis])
        if y.is_floating_point():
            if tuple(y.shape) != tuple(frame.shape):
                return None
            y = y.movedim(axis, -1).reshape(rows.shape)
        else:
            y = y.reshape(-1).long()
            if len(y) != len(rows):
                return None
            keep = (y >= 0) & (y < rows.shape[1])
            rows, y = rows[keep], y[keep]
        return Goal(z, rows, squash, y) if len(rows) else None
    if y.numel() != frame.numel():
        return None
    return Goal(z, frame.reshape(-1), squash, y.reshape(-1))


def of_pairing(pairing: Pairing, squash: str = "") -> Goal | None:
    """The goal that a pairing already has, possibly with another squashing; y as it was read."""
    squash = squash or pairing.squash
    z, site = original(pairing.z_value), pairing.site
    if _bent(site):
        return None
    frame, axis = _frame(site, z), site.class_axis
    if frame is None:
        return None
    if pairing.vector and axis is not None:
        rows = frame.movedim(axis, -1).reshape(-1, frame.shape[axis])
        if len(rows) != len(pairing.y):
            return None
        return Goal(z, rows, squash, pairing.y) if squash == "softmax" else Goal(z, rows.reshape(-1), squash, pairing.y.reshape(-1))
    flat = frame.reshape(-1)
    y = (pairing.y + 1) / 2 if pairing.squash == "tanh" and squash == "sigmoid" else pairing.y
    return Goal(z, flat, squash, y) if len(flat) == len(y) else None
