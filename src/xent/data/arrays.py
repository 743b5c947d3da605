"""Arrays x and y, and NPZ files that hold them. Never unpickled: a file of objects is refused, not run."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from xent.data.table import Data, coded
from xent.errors import InputError, UnknownNameError

NPY = b"\x93NUMPY"
"""What the file of a single array begins with."""


def load(path: Path, target: str | None) -> Data:
    """x (rows, anything) and y (rows,), or the name that `target` gives in its place."""
    wanted = target or "y"
    try:
        with path.open("rb") as opened:
            if opened.read(len(NPY)) == NPY:
                raise ValueError("it is a single array, as numpy.save writes it")
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] if name in ("x", wanted) else None for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = (
            "it holds pickled objects, which are not opened"
            if "pickle" in str(error).lower()
            else str(error) or type(error).__name__
        )
        raise InputError(
            f"cannot read {path.name} as NPZ: {reason}. Save plain arrays with numpy.savez(path, x=…, y=…)."
        ) from error
    for name in ("x", wanted):
        if name not in found:
            raise UnknownNameError(f"array in {path.name}", name, found)
        if not isinstance(found[name], np.ndarray):
            raise InputError(f"{path.name}: {name} is no array. Save plain arrays with numpy.savez(path, x=…, y=…).")
    return of(found["x"], found[wanted], path.name, wanted)


def of(x: Any, y: Any, name: str = "arrays", wanted: str = "y") -> Data:
    """Rows x (rows, anything) with their labels y (rows,), as arrays or whatever becomes one; errors speak of `name`."""
    x, y = np.asarray(x), np.asarray(y)
    if y.dtype.kind in "OT" and all(isinstance(one, str) for one in y.flat):  # names, as a table's column holds them
        y = y.astype(str)
    if x.dtype.kind not in "biuf" or x.ndim < 1:
        raise InputError(f"{name}: x holds rows of real numbers, but it is {x.dtype} of shape {x.shape}.")
    if y.ndim != 1 or len(y) != len(x) or y.dtype.kind not in "biufUS":
        raise InputError(
            f"{name}: {wanted} holds one label for each of the {len(x)} rows of x, but it is {y.dtype} of shape {y.shape}."
            + (" Of one-hot rows take y.argmax(axis=1)." if y.ndim == 2 and len(y) == len(x) else "")
        )
    if len(y) == 0:
        raise InputError(f"{name} is empty: x has no rows.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise InputError(f"{name}: {wanted} is not finite in row {int(np.argmin(np.isfinite(y))) + 1}.")
    rows = x.reshape(len(x), -1).astype(np.float64)
    if np.isnan(rows).any():
        raise InputError(f"{name}: x is nan in row {int(np.argmax(np.isnan(rows).any(1))) + 1}. Fill or remove what is missing.")
    places, classes = coded(y)
    return Data(name, rows, places, classes, tuple(f"x{i + 1}" for i in range(rows.shape[1])))
