"""The targets at a site as numbers, and which of them count."""

from __future__ import annotations

import torch
from torch import Tensor

from xent.doctor.pairing.pairing import Unseen
from xent.doctor.sites import Site
from xent.doctor.trace import Value

Rows = slice | Tensor


def evenly(n: int, most: int) -> Rows:
    """All of n rows, or as many as are looked at, evenly spaced."""
    return torch.linspace(0, n - 1, max(1, most)).long() if n > max(1, most) else slice(None)


def distribution(site: Site, shape: tuple[int, ...], axis: int, some: Rows) -> tuple[Tensor, Tensor, int]:
    """Targets of some rows as distributions (n, K), not smoothed, which of these rows count, and how many of all rows do."""
    if not isinstance(site.target, Value):
        raise Unseen("no-target")
    y, classes = site.target.numbers, shape[axis]
    if tuple(y.shape) == shape:
        hot = y.movedim(axis, -1).reshape(-1, classes)
        n, hot = len(hot), hot[some].double()
        hot = hot.exp() if site.form == "kl" and site.option("log_target") else hot
        hot = _weights_as_targets(hot) if site.form == "log-weighted" else hot
        keep = hot.sum(dim=-1) > 0
        return hot, keep, int(keep.sum()) if isinstance(some, slice) else n
    rest = (*shape[:axis], *shape[axis + 1 :])
    if tuple(y.shape) != rest and y.ndim == len(shape) and y.shape[axis] == 1:
        y = y.squeeze(axis)
    if tuple(y.shape) != rest:
        raise _shapes(site, shape)
    y = y.flatten().long()
    counts = (y != site.option("ignore_index", -100)) & (y >= 0) & (y < classes)
    hot = torch.nn.functional.one_hot(y[some].clamp(0, classes - 1), classes).double()
    return hot, counts[some], int(counts.sum())


def _weights_as_targets(hot: Tensor) -> Tensor:
    """What multiplies the logarithms, as distributions: without its sign, and weights of single classes taken out."""
    hot = -hot if bool((hot <= 0).all()) else hot
    single = (hot > 0).sum(dim=-1, keepdim=True) == 1
    return torch.where(single, hot / hot.sum(dim=-1, keepdim=True).clamp_min(1e-300), hot)


def elementwise(site: Site, shape: tuple[int, ...]) -> Tensor:
    """Targets of an elementwise output, of its shape."""
    if isinstance(site.target, int | float):
        return torch.full(shape, float(site.target), dtype=torch.float64, device=site.input.tensor.device)
    if not isinstance(site.target, Value):
        raise Unseen("no-target")
    if not broadcasts(site.target.shape, shape):
        raise _shapes(site, shape)
    return site.target.numbers.double().expand(shape)


def broadcasts(shape: tuple[int, ...], onto: tuple[int, ...]) -> bool:
    """Whether a shape can be spread onto another."""
    try:
        return tuple(torch.broadcast_shapes(shape, onto)) == onto
    except RuntimeError:
        return False


def _shapes(site: Site, shape: tuple[int, ...]) -> Unseen:
    return Unseen(f"shapes|{list(site.target.shape)}, {list(shape)}")
