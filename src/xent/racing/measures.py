"""What is measured of networks after an epoch: how right, how sure, how stalled. Nothing else is done with test rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent.arrays import Array, hot, namespace, norm, quiet
from xent.network.recipe import targets
from xent.outputs import Output

BINS = 10
"""Bins of confidence, equally wide, of the calibration error (Guo et al., 2017)."""

EVERY = ("cost", "accuracy")
FULL = (*EVERY, "stalled", "gain", "log_loss", "brier", "calibration")


def finite(z: Array) -> Array:
    """Which lanes still have finite logits only: (lanes,)."""
    xp = namespace(z)
    return xp.all(xp.all(xp.isfinite(z), axis=-1), axis=-1)


def brief(output: Output, z: Array, labels: Array) -> dict[str, Array]:
    """Cost (mean over the rows, summed over units) and accuracy of every lane; z is (lanes, rows, classes)."""
    xp = namespace(z)
    y = _spread(labels, z, xp)
    cost = output.value(z, targets(output, y, z, xp))
    cost = cost if output.activation.vector else xp.sum(cost, axis=-1)
    right = xp.argmax(z, axis=-1) == y
    share = xp.mean(xp.astype(right, xp.float64), axis=-1)  # in float64, so that equal counts are equal numbers
    return {"cost": xp.mean(cost, axis=-1), "accuracy": share}


def full(output: Output, z: Array, labels: Array) -> dict[str, Array]:
    """All measures of every lane.

    A row's gain is ‖δ‖₂/‖a − y‖₂ over its units, softmax or not. A row is stalled when the output is squashed, the error of its
    worst unit is above half the range and its gain below 0.1. `gain` is the mean over the wrongly classified rows, nan if none is.
    """
    xp = namespace(z)
    y = _spread(labels, z, xp)
    target = targets(output, y, z, xp)
    with quiet():
        error, delta = output.error(z, target), output.delta(z, target)
        size = norm(error, xp)
        gain = norm(delta, xp) / xp.where(size > 0, size, 1.0)
        wrong = xp.argmax(z, axis=-1) != y
        reach = output.activation.range
        worst = xp.max(xp.abs(error), axis=-1)
        bar = 0.5 * (reach.high - reach.low) if output.activation.squashed else float("inf")
        stalled = (worst > bar) & (gain < 0.1)
        of_wrong = xp.where(wrong & xp.isfinite(gain), gain, 0.0)
        n_wrong = xp.sum(xp.astype(wrong, z.dtype), axis=-1)
        found = {
            **brief(output, z, labels),
            "stalled": xp.mean(xp.astype(stalled, z.dtype), axis=-1),
            "gain": xp.where(n_wrong > 0, xp.sum(of_wrong, axis=-1) / xp.where(n_wrong > 0, n_wrong, 1.0), float("nan")),
        }
        return found | _sureness(output, z, y, xp)


def probabilities(output: Output, z: Array) -> Array | None:
    """The answer as one distribution over the classes, None where it is none.

    Units that answer one by one are read as probabilities of their ends and brought to the sum 1.
    """
    if not output.activation.squashed:
        return None
    xp, reach = namespace(z), output.activation.range
    p = (output.predict(z) - reach.low) / (reach.high - reach.low)
    if output.activation.vector:
        return p
    whole = xp.sum(p, axis=-1, keepdims=True)
    return xp.where(whole > 0, p / xp.where(whole > 0, whole, 1.0), 1 / z.shape[-1])


def _sureness(output: Output, z: Array, y: Array, xp: Any) -> dict[str, Array]:
    p = probabilities(output, z)
    if p is None:
        nothing = xp.mean(z[..., 0], axis=-1) * float("nan")
        return {"log_loss": nothing, "brier": nothing, "calibration": nothing}
    truth = _one_hot(y, p, xp)
    of_truth = xp.sum(p * truth, axis=-1)
    least = xp.finfo(p.dtype).smallest_normal
    counts, right, sure = (v for v in xp.moveaxis(reliability(p, y, xp), -1, 0))
    return {
        "log_loss": -xp.mean(xp.log(xp.where(of_truth > least, of_truth, least)), axis=-1),
        "brier": xp.mean(xp.sum((p - truth) ** 2, axis=-1), axis=-1),
        "calibration": xp.sum(xp.abs(right - sure), axis=-1) / xp.sum(counts, axis=-1),
    }


def reliability(p: Array, y: Array, xp: Any) -> Array:
    """Of each bin of confidence: rows, rows classified right, sum of the confidence; (lanes, bins, 3)."""
    sure = xp.max(p, axis=-1)
    right = xp.astype(xp.argmax(p, axis=-1) == y, p.dtype)
    place = xp.clip(xp.astype(sure * BINS, xp.int64), 0, BINS - 1)
    parts = []
    for b in range(BINS):
        inside = xp.astype(place == b, p.dtype)
        parts.append(xp.stack([xp.sum(inside, axis=-1), xp.sum(inside * right, axis=-1), xp.sum(inside * sure, axis=-1)], axis=-1))
    return xp.stack(parts, axis=-2)


def confusion(z: Array, labels: Array) -> np.ndarray:
    """Rows of each class (first axis after the lanes) that were taken for each class: (lanes, K, K)."""
    k = z.shape[-1]
    guessed, y = np.argmax(on_processor(z), axis=-1), on_processor(labels)
    return np.stack([np.bincount(y * k + g, minlength=k * k).reshape(k, k) for g in guessed])


def on_processor(x: Any) -> np.ndarray:
    """An array of any device as a NumPy array."""
    return np.asarray(x.cpu() if hasattr(x, "cpu") else x)


def _spread(labels: Array, z: Array, xp: Any) -> Array:
    return xp.broadcast_to(labels, z.shape[:-1])


def _one_hot(y: Array, like: Array, xp: Any) -> Array:
    return xp.astype(hot(y, like, xp), like.dtype)
