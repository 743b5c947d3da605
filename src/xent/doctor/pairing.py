"""How much of each error arrives as correction: z, the answer a, the target y, and the measured δ = ∂C/∂z, sample by sample.

δ comes from autograd through everything that the criterion does. What the reduction divides by is taken out again, so that δ is
that of the unreduced, unweighted cost and gain = ‖δ‖/‖a − y‖ means the same as everywhere in xent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import xent.outputs
from xent.doctor.carrying import VIEWS, carry, original
from xent.doctor.natures import Natures
from xent.doctor.observe import Observation
from xent.doctor.sites import ERRORS, Site
from xent.doctor.trace import Value
from xent.errors import XentError

STALLED_ERROR, STALLED_GAIN = 0.5, 0.1
MASKING = ("mul", "mul_", "div", "where", "masked_fill", "masked_fill_", "index", "masked_select", "dot", "mv")
MOST = 1 << 22
"""So many numbers of z are looked at; of more, evenly spaced rows."""


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

    @property
    def vector(self) -> bool:
        """Whether a sample has several outputs that belong together."""
        return self.z.ndim == 2

    @property
    def fits(self) -> bool:
        """Whether the targets are what cross-entropy takes."""
        low, high = (-1.0, 1.0) if self.squash == "tanh" else (0.0, 1.0)
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


class Unseen(Exception):  # noqa: N818 - nothing went wrong
    """Why a pairing could not be read: a key of the texts, and a detail after a bar."""


def read(seen: Observation, natures: Natures, site: Site) -> Pairing:
    """The pairing at a site; raises Unseen with the reason where it cannot be read."""
    if seen.cost is None:
        raise Unseen("no-cost")
    z_value, squash = _before(site)
    delta, z, axis = _delta(seen, natures, site, z_value), z_value.numbers, _axis(site)
    large = z.numel() > MOST
    if large and (squash != "softmax" or original(z_value) is not original(site.input)):
        raise Unseen(f"large|{z.numel():,}")
    if not large:
        frame = _frame(seen, site, z_value)
        z, delta = z.flatten()[frame], delta.flatten()[frame]
    if not bool(torch.isfinite(delta).all()) or not bool(torch.isfinite(z).any()):
        raise Unseen("not-finite")
    if squash == "softmax":
        if axis is None or axis >= z.ndim:
            raise Unseen("class-axis")
        shape, classes = tuple(z.shape), z.shape[axis]
        some = torch.linspace(0, z.numel() // classes - 1, max(1, MOST // classes)).long() if large else slice(None)
        z, delta = (t.movedim(axis, -1).reshape(-1, classes)[some].double() for t in (z, delta))
        y, keep, count = distribution(site, shape, axis, some)
        smoothing = float(site.option("label_smoothing", 0.0) or 0.0)
        y = y * (1 - smoothing) + smoothing / classes
        weighed = _weighed(seen, site, (*shape[:axis], *shape[axis + 1 :]))
        keep = keep if weighed is None else keep & weighed[some]
        z, delta, y = z[keep], delta[keep], y[keep]
    else:
        y, keep = elementwise(site, tuple(z.shape))
        weighed = _weighed(seen, site, tuple(z.shape))
        keep = keep if weighed is None else keep & weighed
        z, delta, y = (t.flatten()[keep].double() for t in (z, delta, y))
        count = len(z)
    if not z.numel():
        raise Unseen("none-counts")
    if not bool(torch.isfinite(y).all()):
        raise Unseen("targets-not-finite")
    scale = _scale(seen, site, count, z.shape[-1] if z.ndim == 2 else 1)
    return _measured(site, squash, z_value, z, y, delta, scale)


def _before(site: Site) -> tuple[Value, str]:
    """z and what squashes it."""
    nature = site.nature
    if (
        site.form in ("cross-entropy", "nll", "log-pick", "log-weighted", "kl", "multi-margin")
        or nature.kind == "softmax"
        or nature.inner == "softmax"
    ):
        if nature.kind in ("softmax", "log") and nature.inner in ("", "softmax"):
            return nature.z, "softmax"
        if nature.squashed:
            return nature.z, "softmax"
        return site.input, "softmax"
    if site.form in ("bce", "bce-logits", "bce-by-hand", "log-sigmoid-pick"):
        if nature.squashed or nature.is_log:
            return nature.z, "sigmoid"
        return site.input, "sigmoid"
    if site.form in ERRORS:
        if nature.kind == "hard":
            return nature.z, "hard"
        return (nature.z, nature.kind) if nature.squashed else (site.input, "identity")
    if site.form == "logistic":
        return site.input, "margin"
    raise Unseen(f"no-gain|{site.form}")


def _frame(seen: Observation, site: Site, z_value: Value) -> Tensor:
    """Where in z each element of the site's input lies."""
    index = torch.arange(z_value.tensor.numel(), device=z_value.tensor.device).reshape(z_value.shape)
    if original(z_value) is original(site.input):
        return index
    moved = carry(seen.trace, z_value, site.input, index)
    if moved is None:
        raise Unseen("way")
    return moved


def _delta(seen: Observation, natures: Natures, site: Site, z_value: Value) -> Tensor:
    """∂cost/∂z, measured; where z has been overwritten in place, through the operation that did it."""
    if not z_value.overwritten:
        found = seen.gradient([z_value.tensor])[0]
        if found is None:
            found = seen.gradient([site.input.tensor])[0] if original(z_value) is original(site.input) else None
        if found is None:
            raise Unseen("no-gradient")
        return found.detach()
    back = seen.gradient([site.input.tensor])[0]
    squash = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "softmax": None}.get(site.nature.kind)
    if back is None or squash is None or site.input.shape != z_value.shape:
        raise Unseen("in-place")
    z = z_value.numbers.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(squash(z), z, back)[0].detach()


def _axis(site: Site) -> int | None:
    return site.axis if site.axis is not None else site.nature.axis


def distribution(site: Site, shape: tuple[int, ...], axis: int, some: Any) -> tuple[Tensor, Tensor, int]:
    """Targets of some rows as distributions (n, K), not smoothed, which of these rows count, and how many of all rows do."""
    classes = shape[axis]
    target = site.target
    rest = (*shape[:axis], *shape[axis + 1 :])
    if not isinstance(target, Value):
        raise Unseen("no-target")
    y = target.numbers
    if tuple(y.shape) != shape:
        if tuple(y.shape) != rest:
            y = y.squeeze(axis) if y.ndim == len(shape) and y.shape[axis] == 1 else y
        if tuple(y.shape) != rest:
            raise Unseen(f"shapes|{list(target.shape)}, {list(shape)}")
        y = y.flatten().long()
        counts = (y != site.option("ignore_index", -100)) & (y >= 0) & (y < classes)
        count, keep, y = int(counts.sum()), counts[some], y[some]
        hot = torch.nn.functional.one_hot(y.clamp(0, classes - 1), classes).double()
    else:
        hot = y.movedim(axis, -1).reshape(-1, classes)
        count, hot = len(hot), hot[some].double()
        if site.form == "kl" and site.option("log_target"):
            hot = hot.exp()
        if site.form == "log-weighted":
            hot = _weights_as_targets(hot)
        keep = hot.sum(dim=-1) > 0
        count = int(keep.sum()) if some == slice(None) else count
    return hot, keep, count


def _weights_as_targets(hot: Tensor) -> Tensor:
    """What multiplies the logarithms, as distributions: without its sign, and weights of single classes taken out."""
    hot = -hot if bool((hot <= 0).all()) else hot
    single = (hot > 0).sum(dim=-1, keepdim=True) == 1
    return torch.where(single, hot / hot.sum(dim=-1, keepdim=True).clamp_min(1e-300), hot)


def elementwise(site: Site, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Targets of an elementwise output, of its shape, and which count (all)."""
    target = site.target
    if isinstance(target, int | float):
        y = torch.full(shape, float(target), dtype=torch.float64)
    elif isinstance(target, Value):
        y = target.numbers.double()
        if tuple(y.shape) != shape:
            try:
                y = y.expand(shape)
            except RuntimeError:
                raise Unseen(f"shapes|{list(target.shape)}, {list(shape)}") from None
    else:
        raise Unseen("no-target")
    return y, torch.ones(y.numel(), dtype=torch.bool, device=y.device)


def _weighed(seen: Observation, site: Site, shape: tuple[int, ...]) -> Tensor | None:
    """Which samples have another weight than 0, flat; None where nothing weighs them one by one."""
    weight, target = site.option("weight"), site.target
    if isinstance(weight, Value) and weight.tensor.numel() > 1:
        w = weight.numbers
        if site.axis is not None:
            if not isinstance(target, Value) or target.numbers.is_floating_point():
                return None
            w = w[target.numbers.clamp(0, len(w) - 1)]
        return (w != 0).broadcast_to(shape).flatten() if _broadcasts(tuple(w.shape), shape) else None
    if site.form == "bce-by-hand" and site.nature.target is None and site.step is not None and site.step.op != "mul":
        return None  # its two logarithms are weighed by y and 1 − y
    each = site.call.result if site.call is not None else site.step.outs[0] if site.step is not None and site.step.outs else None
    if each is None or each.tensor.numel() != torch.Size(shape).numel() or each.tensor.numel() < 2 or not _masked(each):
        return None
    through = seen.gradient([each.tensor])[0]
    return None if through is None else (through != 0).flatten()


def _broadcasts(shape: tuple[int, ...], onto: tuple[int, ...]) -> bool:
    try:
        return tuple(torch.broadcast_shapes(shape, onto)) == onto
    except RuntimeError:
        return False


def _masked(value: Value, depth: int = 0) -> bool:
    """Whether some of the single costs are dropped, or multiplied by given numbers, before they are summed."""
    for step in value.used_by:
        if step.op in MASKING and any(not v.learns and v.tensor.numel() > 1 for v in step.ins):
            return True
        onward = step.op in VIEWS or step.op in ("pow", "square", "abs", "neg", "mul", "add", "sub", "rsub", "smooth_l1_loss")
        if onward and depth < 4 and step.outs and _masked(step.outs[0], depth + 1):
            return True
    return False


def _scale(seen: Observation, site: Site, rows: int, classes: int) -> float | None:
    """How many times smaller than the sum over samples the cost is, where the call says it; None where it is to be measured."""
    call = site.call
    if call is None or call.result is None or call.result.tensor.numel() != 1:
        return None
    if any(site.option(name) is not None for name in ("weight", "pos_weight", "denominator", "softcap")):
        return None
    through = seen.gradient([call.result.tensor])[0]
    if through is None or float(through) == 0:
        return None
    reduction = site.option("reduction", "mean")
    if reduction == "sum":
        n = 1.0
    elif reduction == "batchmean":
        n = float(site.input.shape[0])
    elif reduction == "mean" and site.form == "kl":
        n = float(site.input.tensor.numel())
    else:
        n = float(rows)
        if site.form in ERRORS and classes > 1:
            n *= classes
    half = 2.0 if site.form == "squared" and site.option("output") is None else 1.0  # xent's has its ½
    return float(through) * half / n


def _measured(site: Site, squash: str, z_value: Value, z: Tensor, y: Tensor, delta: Tensor, scale: float | None) -> Pairing:
    """The numbers of each sample."""
    nature, low, high = site.nature, 0.0, 1.0
    if squash == "margin":
        a, y = torch.sigmoid(z), (y > 0).double()
        name = "logistic@identity"
    elif squash == "softmax":
        a = torch.softmax(z, dim=-1)
        y = 1 - y if nature.turned and site.form in ERRORS else y
        name = {"squared": "quadratic@softmax", "absolute": "absolute@softmax"}.get(site.form, "cross-entropy@softmax")
        odd = (nature.squashed and site.form in ("cross-entropy", "nll", "kl")) or site.form in (
            "multi-margin",
            "bce",
            "bce-logits",
            "huber",
        )
        if odd:
            name = "other@softmax"
    elif squash in ("sigmoid", "tanh"):
        a = torch.sigmoid(z) if squash == "sigmoid" else torch.tanh(z)
        ends = (0.0, 1.0) if squash == "sigmoid" else (-1.0, 1.0)
        if nature.squashed and site.form in ERRORS:
            share = (y - nature.low) / (nature.high - nature.low)
            share = 1 - share if nature.turned else share
            y = ends[0] + share * (ends[1] - ends[0])
        low, high = ends
        cost = {"squared": "quadratic", "absolute": "absolute", "huber": "other"}.get(site.form, "cross-entropy")
        name = f"{cost}@{squash}"
        if nature.squashed and (site.form == "bce-logits" or nature.kind != "sigmoid") and site.form not in ERRORS:
            name = f"other@{squash}"
    elif squash == "hard":
        a, low, high = site.input.numbers.double().flatten()[: len(z)], nature.low, nature.high
        name = "other@hard"
    else:
        a, name = z, {"squared": "quadratic@identity", "absolute": "absolute@identity"}.get(site.form, "other@identity")
    difference = a - y
    worst = difference.abs() / (high - low)
    if z.ndim == 2:
        error, worst = difference.norm(dim=-1), worst.amax(dim=-1)
    else:
        error = difference.abs()
    if scale and site.form in ERRORS and nature.squashed:
        scale *= ((nature.high - nature.low) / (high - low)) ** (2 if site.form == "squared" else 1)
    scale = scale or _fitted(name, z, y, delta, error)
    delta = delta / scale
    correction = delta.norm(dim=-1) if z.ndim == 2 else delta.abs()
    gain = torch.where(error > 0, correction / error.clamp_min(1e-300), torch.ones_like(error))
    stalled = (worst > STALLED_ERROR) & (gain < STALLED_GAIN) if squash in ("sigmoid", "tanh", "softmax", "hard") else worst < -1
    at_ends = ((y - low).abs() < 1e-6) | ((y - high).abs() < 1e-6)
    label = y.argmax(dim=-1) if z.ndim == 2 else (y > (low + high) / 2).long()
    hard = bool(at_ends.all()) and squash != "identity"
    return Pairing(site, name, squash, z_value, z, a, y, delta, error, worst, correction, gain, stalled, label, hard)


def _fitted(name: str, z: Tensor, y: Tensor, delta: Tensor, error: Tensor) -> float:
    """The factor between the measured δ and that of the closed form: the middle one of all samples."""
    expected = error
    if not name.startswith(("other", "logistic")):
        try:
            expected = xent.outputs.output(name).delta(z, y)
            expected = expected.norm(dim=-1) if z.ndim == 2 else expected.abs()
        except XentError:
            expected = error
    size = delta.norm(dim=-1) if z.ndim == 2 else delta.abs()
    useful = (expected > 1e-6 * expected.max()) & (size > 0)
    return float((size[useful] / expected[useful]).median()) if bool(useful.any()) else 1.0


def opaque(seen: Observation, natures: Natures, answers: list[Value], targets: list[Value]) -> Site | None:
    """The site of a cost that could not be looked into, known by its δ: that of cross-entropy, or of the squared error.

    Only what agrees on every sample, up to one factor, counts.
    """
    for a in answers:
        if not a.learns or not a.shape or a.overwritten:
            continue
        delta = seen.gradient([a.tensor])[0]
        if delta is None or not bool(torch.isfinite(delta).all()):
            continue
        for y in targets:
            for site in _guesses(a, y, natures):
                try:
                    pairing = read(seen, natures, site)
                    closed = xent.outputs.output(pairing.name).delta(pairing.z, pairing.y)
                except (Unseen, XentError):
                    continue
                if _parallel(pairing.delta, closed):
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


def _parallel(a: Tensor, b: Tensor) -> bool:
    a, b = a.flatten(), b.flatten()
    size = a.norm() * b.norm()
    return bool(size > 0) and float((a @ b) / size) > 1 - 1e-6
