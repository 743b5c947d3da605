"""How numbers, intervals, formulas and code are said on the pages."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from xent.explaining.parts import Code
from xent.texts.formulas import Formula, formula

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε"}


def number(x: float) -> str:
    """A number as a sentence says it.

    >>> number(0.0196), number(1.0), number(0.000999), number(1000.4)
    ('0.0196', '1', '0.000999', '1000')
    """
    if not np.isfinite(x):
        return {"inf": "∞", "-inf": "−∞"}.get(str(float(x)), "–")
    rounded = float(f"{x:.3g}") if abs(x) < 100 else float(round(x))
    return np.format_float_positional(rounded + 0.0, trim="-").replace("-", "−")


def signs(numbers: object) -> str:
    """An interval or labels with minus signs in place of hyphens."""
    return str(numbers).replace("-", "−")


def formula_of(key: str) -> Formula:
    """A formula with *a* for the answer throughout: on these pages ŷ has no other name."""
    return formula(key).lettered(a="a")


def code_of(key: str, given: dict[str, str], words: dict[str, Any]) -> tuple[Code, ...]:
    """How other libraries compute it: nothing for what they do not have."""
    entry = stored("libraries").get(key, {})
    said = words["libraries"]
    remarks = [said.get(key, ""), said["hard"] if entry.get("hard") else ""]
    notes = {"torch": said["between"].join(filter(None, remarks)), "scikit": said["penalty"] if entry.get("penalty") else ""}
    names = {"torch": "PyTorch", "scikit": "scikit-learn"}
    return tuple(Code(names[of], entry.get(f"{of}_name", ""), entry[of].format(**given), notes[of]) for of in names if of in entry)


@cache
def stored(name: str) -> dict[str, Any]:
    """A table of `texts` that is the same in every language."""
    return tomllib.loads((files("xent.texts") / f"{name}.toml").read_text(encoding="utf-8"))
