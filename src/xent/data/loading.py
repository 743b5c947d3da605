"""`xent.data.load`: which reader a name or a path belongs to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from xent.data import arrays, bundled, idx, synthetic, tables
from xent.data.table import Data
from xent.errors import InputError, UnknownNameError

Source = str | Path | Data | tuple[Any, Any] | Any
"""A name, a path, a pair (x, y) of arrays, a table, or what was loaded before."""


def load(name_or_path: Source, target: str | None = None, *, missing: str = "refuse") -> Data:
    """A data set by name, from a file, or from arrays or a table in memory.

    A name is one of scikit-learn's bundled sets (digits, iris, wine, breast_cancer) or a synthetic one with its dials, such as
    ``two-class(margin=2, imbalance=0.1, noise=0.05)``. A path is a CSV or Parquet file, of which `target` names the column of
    classes; an NPZ file with the arrays x and y (another name for y is given by `target`); or a folder of IDX files. `missing`
    says what happens to rows of a table that lack a value: "refuse" (an error that names them), "fill" (numbers with the mean of
    the training part, categories with one of their own) or "drop".

    In memory, rows and labels are a pair (x, y) of arrays, as scikit-learn takes them, and a table is a polars or pandas DataFrame
    of which `target` names the column of classes, as that of a file.

    Raises InputError, with what to do, for what cannot be read as rows and classes.

    >>> load("iris")
    Data(name='iris', classes=('setosa', 'versicolor', 'virginica'), scaling='standard')
    >>> load(([[0.1], [0.3], [2.0], [2.2], [0.2], [1.9]], ["low", "low", "high", "high", "low", "high"]))
    Data(name='arrays', classes=('high', 'low'), scaling='standard')
    """
    if isinstance(name_or_path, Data):
        return name_or_path
    asked = {"target": target, "missing": None if missing == "refuse" else missing}
    if isinstance(name_or_path, (str, Path)):
        asked["data"], found = str(name_or_path), _read(name_or_path, target, missing)
    else:
        found = _in_memory(name_or_path, target, missing)
    return replace(found, asked=tuple((k, v) for k, v in asked.items() if v is not None))


def _in_memory(given: Any, target: str | None, missing: str) -> Data:
    """A pair of arrays, or a table."""
    _mind(missing)
    if isinstance(given, (tuple, list)) and len(given) == 2:
        if target is not None:
            raise InputError(f"the pair (x, y) holds the classes in y: leave the target {target!r} out.")
        return arrays.of(*given)
    if hasattr(given, "columns") and hasattr(given, "__getitem__"):
        return tables.of(given, target, missing)
    raise InputError(
        "data is a name such as 'digits', the path of a file, a pair (x, y) of arrays or a DataFrame with target=, but "
        f"{type(given).__name__} came."
    )


def _mind(missing: str) -> None:
    if missing not in tables.MISSING:
        raise UnknownNameError("way with missing values", missing, tables.MISSING)


def _read(name_or_path: str | Path, target: str | None, missing: str) -> Data:
    """The rows from wherever they are."""
    _mind(missing)
    text, path = str(name_or_path), Path(name_or_path)
    word = re.match(r"[\w-]+", text)
    known = (*bundled.NAMES, *synthetic.NAMES)
    if isinstance(name_or_path, str) and word and word[0].replace("-", "_") in (n.replace("-", "_") for n in known):
        if target is not None:
            raise InputError(f"the set {word[0]!r} knows its classes: leave the target {target!r} out.")
        return bundled.load(text.replace("-", "_")) if text.replace("-", "_") in bundled.NAMES else synthetic.load(text)
    if not text.strip():
        raise InputError(f"data is a name such as 'digits' or the path of a file, but {text!r} came.")
    if path.is_dir():
        if target is not None:
            raise InputError(f"the label files of {text} hold the classes: leave the target {target!r} out.")
        return idx.load(path)
    if not path.exists():
        if path.suffix or "/" in text:
            raise InputError(
                f"there is no file {text!r}. Give a CSV, Parquet or NPZ file, a folder of IDX files, or one of {', '.join(known)}."
            )
        raise UnknownNameError("data set", text, known)
    kind = path.suffix.lower()
    if kind in tables.KINDS:
        return tables.load(path, target, missing)
    if kind == ".npz":
        return arrays.load(path, target)
    raise InputError(
        f"{path.name} is of no kind that can be read: known are {', '.join((*tables.KINDS, '.npz'))} and folders of IDX files."
    )
