"""`xent.data.load`: which reader a name or a path belongs to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from xent.data import arrays, bundled, idx, synthetic, tables
from xent.data.table import Data
from xent.errors import InputError, UnknownNameError


def load(name_or_path: str | Path | Data, target: str | None = None, *, missing: str = "refuse") -> Data:
    """A data set by name or from a file.

    A name is one of scikit-learn's bundled sets (digits, iris, wine, breast_cancer) or a synthetic one with its dials, such as
    ``two-class(margin=2, imbalance=0.1, noise=0.05)``. A path is a CSV or Parquet file, of which `target` names the column of
    classes; an NPZ file with the arrays x and y (another name for y is given by `target`); or a folder of IDX files. `missing`
    says what happens to rows of a table that lack a value: "refuse" (an error that names them), "fill" (numbers with the mean of
    the training part, categories with one of their own) or "drop".

    Raises InputError, with what to do, for what cannot be read as rows and classes.

    >>> load("iris")
    Data(name='iris', classes=('setosa', 'versicolor', 'virginica'), scaling='standard')
    """
    if isinstance(name_or_path, Data):
        return name_or_path
    asked = {"data": str(name_or_path), "target": target, "missing": None if missing == "refuse" else missing}
    return replace(_read(name_or_path, target, missing), asked=tuple((k, v) for k, v in asked.items() if v is not None))


def _read(name_or_path: str | Path, target: str | None, missing: str) -> Data:
    """The rows from wherever they are."""
    if missing not in tables.MISSING:
        raise UnknownNameError("way with missing values", missing, tables.MISSING)
    text, path = str(name_or_path), Path(name_or_path)
    word = re.match(r"[\w-]+", text)
    known = (*bundled.NAMES, *synthetic.NAMES)
    if isinstance(name_or_path, str) and word and word[0].replace("-", "_") in (n.replace("-", "_") for n in known):
        if target is not None:
            raise InputError(f"the set {word[0]!r} knows its classes: leave the target {target!r} out.")
        return bundled.load(text.replace("-", "_")) if text.replace("-", "_") in bundled.NAMES else synthetic.load(text)
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
