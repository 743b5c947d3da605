"""Targets: their shapes, and whether a cost can take them. Nothing is guessed from values, nothing broadcast.

Values that cannot be looked at (inside jit and vmap) cannot raise; there a wrong target becomes nan, so that a wrong number
never comes out as a right-looking one.
"""

from __future__ import annotations

from typing import Any

import array_api_compat as compat

from xent.activations import Interval
from xent.arrays import Array, as_array, hot, is_bool, is_concrete, is_float, is_integer, namespace, total, widen
from xent.costs import Labels
from xent.errors import ArrayKindError, ShapeError, TargetError


def logits(z: Any, y: Any) -> tuple[Array, Array, Any]:
    """z as floats, y as an array beside it, and their namespace."""
    xp = namespace(z, y)
    if not compat.is_array_api_obj(z):
        z = as_array(z, xp, y if compat.is_array_api_obj(y) else None)
        z = z if is_float(z) else xp.astype(z, xp.float64)
    if not is_float(z):
        raise ArrayKindError(f"z must be real floating numbers, but its dtype is {z.dtype}: convert it to float32 or float64.")
    y = as_array(y, xp, z)
    if not (is_float(y) or is_integer(y) or is_bool(y)):
        raise ArrayKindError(f"targets must be real numbers or class indices, but their dtype is {y.dtype}.")
    return widen(z, xp), y, xp


def elementwise(z: Array, y: Array, allowed: Interval | Labels, name: str, xp: Any) -> Array:
    """Targets for an elementwise output: of z's shape, every one allowed."""
    if y.shape != z.shape:
        raise ShapeError(
            f"{name} is elementwise: targets have the shape of z, {tuple(z.shape)}, but {tuple(y.shape)} came. "
            "Nothing is broadcast; reshape one of them."
        )
    y = xp.astype(y, z.dtype)
    if isinstance(allowed, Labels):
        right = y == allowed.values[0]
        for value in allowed.values[1:]:
            right = right | (y == value)
    else:
        right = (y >= allowed.low) & (y <= allowed.high) & xp.isfinite(y)
    return insist(y, right, f"{name} takes targets in {allowed}", xp)


def distributions(z: Array, y: Array, name: str, xp: Any) -> Array:
    """Targets for a vector output as one distribution a row; class indices become one-hot."""
    k = z.shape[-1] if z.ndim else 0
    if k == 0:
        raise ShapeError(f"{name} works over a class axis: z needs one with at least one class, but its shape is {tuple(z.shape)}.")
    if is_integer(y) and y.shape == z.shape[:-1]:
        right = (y >= 0) & (y < k)
        y = insist(y, right, f"{name} takes class indices from 0 to {k - 1} (z has {k} classes)", xp, poison=False)
        one_hot = xp.where(hot(y, z, xp), xp.ones_like(z), xp.zeros_like(z))
        return xp.where(right[..., None], one_hot, float("nan"))
    if is_float(y) and y.shape == z.shape:
        y = xp.astype(y, z.dtype)
        y = insist(y, (y >= 0) & (y <= 1 + _slack(y)), f"{name} takes distributions: probabilities between 0 and 1", xp)
        whole = total(y, xp)
        right = xp.abs(whole - 1) <= _slack(y)
        insist(whole, right, f"{name} takes distributions, which sum to 1 over the classes", xp, what="sum")
        return xp.where(right[..., None], y, float("nan"))
    kind = "integers" if is_integer(y) else "booleans" if is_bool(y) else "floats"
    raise ShapeError(
        f"{name} takes class indices (integers of shape {tuple(z.shape[:-1])}) or distributions (floats of shape "
        f"{tuple(z.shape)}), but {kind} of shape {tuple(y.shape)} came."
    )


def _slack(y: Array) -> float:
    return 1e-6 if "64" in str(y.dtype) else 1e-3


def insist(y: Array, right: Array, rule: str, xp: Any, *, poison: bool = True, what: str = "target") -> Array:
    """y, if all of it is right; an error names the first that is not. Where values are hidden, wrong ones become nan."""
    if not is_concrete(right):
        return xp.where(right, y, float("nan")) if poison else y
    if bool(xp.all(right)):
        return y
    flat_right, flat_y = xp.reshape(right, (-1,)), xp.reshape(y, (-1,))
    first = int(xp.argmin(xp.astype(flat_right, xp.int32)))
    place = f" at place {_place(first, right.shape)}" if right.shape else ""
    wrong = int(xp.sum(xp.astype(~flat_right, xp.int32)))
    more = f" ({wrong} of {flat_right.shape[0]} are wrong)" if wrong > 1 else ""
    found = int(flat_y[first]) if is_integer(flat_y) else float(flat_y[first])
    raise TargetError(f"{rule}, but the {what}{place} is {found}{more}.")


def _place(flat: int, shape: tuple[int, ...]) -> str:
    place: list[int] = []
    for n in reversed(shape):
        flat, i = divmod(flat, n)
        place.insert(0, i)
    return str(place[0]) if len(place) == 1 else str(tuple(place))
