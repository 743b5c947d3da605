"""CSV and Parquet files: a column of classes, every other column a number or a category.

A column is a number when every value reads as one, a category when none of them does; a column where some do not is refused, with
the rows, and so are dates and numbers that are written for people, such as 1,234 or 5%. Nothing is guessed: a column of numbers
that are really names is said to be so by writing them as names.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from xent.data.table import Data, coded
from xent.errors import InputError, UnknownNameError, listed

KINDS = (".csv", ".parquet")
MISSING = ("refuse", "fill", "drop")
BLANK = ("", "?", "na", "n/a", "nan", "null", "none")
ABSENT = ("NAType", "NaTType")
"""What pandas puts where nothing is."""
SHOWN = 5
EXACT = 2.0**53
"""Whole numbers below this are told apart by a float; longer ones, such as numbers of accounts, stay text."""

DATES = r"^(\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ,].*)?$"
FOR_PEOPLE = r"^[-+−]?[$€£¥]? ?[-+−]?(\d{1,3}([,.'’_ \x{a0}\x{202f}]\d{3})+|\d+)([.,]\d+)? ?[%‰$€£¥元]?$"
"""Numbers with marks between thousands, a comma before decimals, percent or currency: texts to a computer."""

MANY = 100
"""More categories than this in one column are names of rows rather than kinds."""


def load(path: Path, target: str | None, missing: str) -> Data:
    """The rows of a file, its numbers as they are and its categories one-hot."""
    return _data(_read(path), path.name, target, missing)


def of(frame: Any, target: str | None, missing: str) -> Data:
    """The rows of a table in memory, polars' or another whose columns have `to_list` or `tolist`, as those of a file."""
    if not isinstance(frame, pl.DataFrame):
        _told_apart(list(map(str, frame.columns)), "table")
        columns = {str(c): frame[c] for c in frame.columns}
        cells = {c: x.to_list() if hasattr(x, "to_list") else x.tolist() for c, x in columns.items()}
        there = {c: [None if type(v).__name__ in ABSENT else v for v in values] for c, values in cells.items()}
        frame = pl.DataFrame({c: pl.Series(values, strict=False) for c, values in there.items()})
    if frame.height == 0:
        raise InputError("table has no rows.")
    return _data(_blanked(frame), "table", target, missing)


def _data(table: pl.DataFrame, file: str, target: str | None, missing: str) -> Data:
    """The rows of a table that has been read."""
    if target is None:
        raise InputError(f"which column of {file} holds the classes? Name it with target= (--target): {listed(table.columns)}.")
    if target not in table.columns:
        target = target.strip()
    if target not in table.columns:
        raise UnknownNameError(f"column in {file}", target, table.columns)
    table, notes = _complete(table, target, missing, file)
    y, classes = coded(_classes(table[target], file))
    columns, names = [], []
    for name in (c for c in table.columns if c != target):
        made = _numbers(table[name], file)
        if made is not None:
            columns.append(made)
            names.append(name)
            if len(made) > 1 and bool((np.diff(made) == 1).all()):
                notes.append(("counts", {"column": name}))
            continue
        kinds = _categories(table[name], file)
        notes.append(
            (
                "categories",
                {
                    "column": name,
                    "n": str(len(kinds)),
                    "kinds": ", ".join(list(kinds)[:SHOWN]) + ("…" if len(kinds) > SHOWN else ""),
                },
            )
        )
        columns += list(kinds.values())
        names += [f"{name}={kind}" for kind in kinds]
    if not columns:
        raise InputError(f"{file} has the target {target!r} and no other column: there is nothing to learn from.")
    return Data(file, np.stack(columns, axis=1), y, classes, tuple(names), "standard", tuple(notes))


def _read(path: Path) -> pl.DataFrame:
    """Every cell as text or number, blanks as null; the row numbers of errors count from the first row under the header."""
    try:
        table = _csv(path) if path.suffix.lower() == ".csv" else pl.read_parquet(path, glob=False)
    except pl.exceptions.NoDataError:
        raise InputError(f"{path.name} is empty.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text in UTF-8: save it as CSV in UTF-8 (in Excel: Save As, CSV UTF-8).") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"cannot read {path.name}: {_wide(path) or str(error).splitlines()[0]}") from error
    if table.height == 0:
        raise InputError(f"{path.name} has a header and no rows.")
    return _blanked(table)


def _blanked(table: pl.DataFrame) -> pl.DataFrame:
    """The table with null for every way of writing that nothing is there."""
    text = pl.col(pl.String).str.strip_chars()
    table = table.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String), pl.col(pl.Float32, pl.Float64).fill_nan(None))
    return table.with_columns(pl.when(text.str.to_lowercase().is_in(BLANK)).then(None).otherwise(text).name.keep())


def _csv(path: Path) -> pl.DataFrame:
    """Cells as text; what reads as something else than rows of commas under one header is refused."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        for _ in iter(partial(file.read, 1 << 20), ""):  # text to the end
            pass
    if first.endswith("\r"):
        raise InputError(f"{path.name} ends its lines with carriage returns alone, as old Macs did: save it with line feeds.")
    for sign, said in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if sign in first and "," not in first:
            raise InputError(
                f"{path.name} is separated by {said}, as its first line shows: save it with commas between cells (and points in "
                "numbers), or as Parquet."
            )
    table = pl.read_csv(path, infer_schema=False, glob=False)
    written = pl.read_csv(path, infer_schema=False, has_header=False, n_rows=1, glob=False).row(0)
    names = [(name or "").strip() for name in written]
    if "" in names:
        raise InputError(
            f"{path.name}: column {names.index('') + 1} has no name. Name it, or remove it if it only counts the rows (pandas "
            "leaves it out with to_csv(index=False)) or comes from a comma at the end of the lines."
        )
    _told_apart(names, path.name)
    table.columns = names
    some = table.select(pl.any_horizontal(pl.all().str.strip_chars() != "")).to_series().arg_true()
    return table[: int(some[-1]) + 1] if len(some) else table  # blank lines at the end are no rows


def _told_apart(names: list[str], file: str) -> None:
    """Refuse a table with two columns of one name."""
    twice = {name: None for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"{file} has more than one column named {', '.join(map(repr, twice))}: give each a name of its own.")


def _wide(path: Path) -> str:
    """Which row of a CSV file has more cells than the header, if that is what is wrong with it."""
    if path.suffix.lower() != ".csv":
        return ""
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        rows = csv.reader(file)
        width = len(next(rows))
        return next((f"row {i} has {len(row)} cells, the header {width}." for i, row in enumerate(rows, 1) if len(row) > width), "")


def _complete(table: pl.DataFrame, target: str, missing: str, file: str) -> tuple[pl.DataFrame, list[tuple[str, dict[str, Any]]]]:
    """The table without rows that cannot be used, and what was done."""
    unnamed = table[target].is_null()
    lacking = table.select(pl.any_horizontal(pl.all().is_null())).to_series()
    if missing == "drop":
        kept = table.filter(~lacking)
        if not kept.height:
            raise InputError(f"{file}: every row lacks a value, so that none is left.")
        return kept, [("dropped", {"n": str(int(lacking.sum()))})] if lacking.any() else []
    if unnamed.any():
        raise InputError(
            f"{file}: the target {target!r} is missing in {_rows(unnamed)}. Name the classes, or leave such rows out with "
            "missing='drop' (--missing drop)."
        )
    if lacking.any() and missing == "refuse":
        where = ", ".join(c for c in table.columns if table[c].is_null().any())
        raise InputError(
            f"{file}: values are missing in {_rows(lacking)} (columns: {where}; an empty cell is missing, and so are "
            f"{', '.join(BLANK[1:])}). Fill them with missing='fill', or leave the rows out with 'drop' (--missing)."
        )
    return table, [("filled", {"n": str(int(lacking.sum()))})] if lacking.any() else []


def _classes(column: pl.Series, file: str) -> Any:
    """The labels: numbers where all of them are numbers that a float tells apart, else text."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InputError(f"{file}: the target {column.name!r} holds {column.dtype}: a class is a name or a number.")
    if column.dtype == pl.String or column.dtype.is_numeric():
        numbers = column.cast(pl.Float64, strict=False)
        if not numbers.is_null().any() and bool((numbers.abs() < EXACT).all()):
            return numbers.to_numpy()
    return np.asarray(column.cast(pl.String).to_list())


def _numbers(column: pl.Series, file: str) -> np.ndarray | None:
    """The column as numbers, nan where it is null; None for a category."""
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    kind = "dates" if _dates(column) else str(column.dtype)
    if kind == "dates" or column.dtype.is_temporal() or column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InputError(
            f"{file}: the column {column.name!r} holds {kind}, which are neither numbers nor categories: make numbers of them, "
            "such as days since the first, or remove the column."
        )
    read = column.cast(pl.Float64, strict=False)
    wrong = read.is_null() & column.is_not_null()
    if wrong.sum() == column.is_not_null().sum():
        if wrong.any() and bool(column.drop_nulls().str.contains(FOR_PEOPLE).all()):
            raise InputError(
                f"{file}: the column {column.name!r} holds numbers written for people, such as {column.drop_nulls()[0]!r}: write "
                "them with a point before decimals and nothing else (1234.5), or as names (n5) if they are kinds."
            )
        return None
    if wrong.any():
        cells = ", ".join(repr(c) for c in column.filter(wrong).unique(maintain_order=True).to_list()[:SHOWN])
        raise InputError(
            f"{file}: the column {column.name!r} holds numbers, but not in {_rows(wrong)}: {cells}. Mend these cells, or leave "
            "them blank and choose missing='fill' or 'drop' (--missing)."
        )
    return read.fill_null(np.nan).to_numpy().astype(np.float64)


def _dates(column: pl.Series) -> bool:
    """Whether every text is a date: the year first, as ISO 8601 writes it, or last."""
    known = column.drop_nulls()
    return column.dtype == pl.String and len(known) > 0 and bool(known.str.contains(DATES).all())


def _categories(column: pl.Series, file: str) -> dict[str, np.ndarray]:
    """A column of 0 and 1 for each category, a missing value being one of its own."""
    text = column.cast(pl.String).fill_null("(missing)")
    kinds = sorted(text.unique().to_list())
    if len(kinds) > MANY or len(kinds) == len(text):
        raise InputError(
            f"{file}: the column {column.name!r} holds {len(kinds)} different texts in {len(text)} rows, names rather than kinds "
            f"(of which there may be {MANY}): remove the column."
        )
    return {kind: (text == kind).to_numpy().astype(np.float64) for kind in kinds}


def _rows(chosen: pl.Series) -> str:
    """Which rows, counted from 1 under the header."""
    places = [i + 1 for i in chosen.arg_true().to_list()]
    shown = ", ".join(map(str, places[:SHOWN])) + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")
    return f"row{'s' if len(places) > 1 else ''} {shown}"
