"""The values in a page's URL, read, checked and held within what one machine answers at once.

They come as the text that stands there; a message of an error says which setting was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from xent import texts
from xent.errors import InputError, UnknownNameError, XentError
from xent.lab.own import NONE, Own
from xent.outputs import Output
from xent.outputs.naming import split

Asked = Mapping[str, str]

MOST_OUTPUTS, MOST_LETTERS = 8, 300
LARGEST = 1e6
PAIR = "quadratic@sigmoid,cross-entropy@sigmoid"


def number(asked: Asked, name: str, default: float, low: float = -LARGEST, high: float = LARGEST) -> float:
    """A finite number between two ends.

    >>> number({"x": "2"}, "x", 1.0), number({}, "x", 1.0)
    (2.0, 1.0)
    """
    text = str(asked.get(name, "")).strip()
    if not text:
        return default
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        raise InputError(f"{name} is a number, but {text!r:.40} came.") from None
    if not isfinite(value) or not low <= value <= high:
        raise InputError(f"{name} is a number from {low:g} to {high:g}, but {text!r:.40} came.")
    return value


def whole(asked: Asked, name: str, default: int, low: int, high: int) -> int:
    """A whole number between two ends."""
    value = number(asked, name, default, low, high)
    if value != int(value):
        raise InputError(f"{name} is a whole number from {low} to {high}, but {value:g} came.")
    return int(value)


def numbers(asked: Asked, name: str, default: str, most: int, low: float, high: float) -> list[float]:
    """Numbers separated by commas."""
    parts = [part for part in str(asked.get(name, "") or default).split(",") if part.strip()]
    if len(parts) > most:
        raise InputError(f"{name} is a list of at most {most} numbers, but {len(parts)} came.")
    return [number({name: part}, name, 0.0, low, high) for part in parts]


def choice(asked: Asked, name: str, known: tuple[str, ...]) -> str:
    """One of a few words, the first where none was given."""
    value = str(asked.get(name, "")) or known[0]
    if value not in known:
        raise UnknownNameError(name, value[:40], known)
    return value


def language(asked: Asked) -> str:
    """The language asked for."""
    return choice(asked, "lang", texts.LANGUAGES)


def outputs(asked: Asked, own: Own = NONE, default: str = PAIR) -> list[Output]:
    """The outputs to set side by side, xent's or the user's own."""
    return [_output(name, asked, own) for name in _names(asked, default)]


def _names(asked: Asked, default: str = PAIR) -> list[str]:
    text = str(asked.get("outputs", default))
    if len(text) > MOST_OUTPUTS * MOST_LETTERS:
        raise InputError(f"the outputs are named in at most {MOST_OUTPUTS * MOST_LETTERS} letters, but {len(text)} came.")
    names = split(text)
    if not 1 <= len(names) <= MOST_OUTPUTS:
        raise InputError(f"from 1 to {MOST_OUTPUTS} outputs stand side by side, but {len(names)} came.")
    for name in names:
        if not name or len(name) > MOST_LETTERS:
            raise InputError(f"an output is named in 1 to {MOST_LETTERS} letters, but {len(name)} came.")
    return names


def _output(name: str, asked: Asked, own: Own) -> Output:
    try:
        return own.output(name, language(asked))
    except RecursionError:  # smooth(smooth(…, a thousand times
        raise InputError("costs are wrapped in one another too often: name a simpler output.") from None


@dataclass(frozen=True)
class Listed:
    """All names that were asked for, those that mean something here, and why the others do not.

    A link that names a cost of someone's own still shows everything else. Where nothing is left, its error is raised.
    """

    names: tuple[str, ...]
    kept: tuple[int, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, asked: Asked, own: Own = NONE) -> Listed:
        """The list of the settings."""
        names, kept, errors = _names(asked), [], []
        for place, name in enumerate(names):
            try:
                _output(name, asked, own)
            except XentError as error:
                errors.append(error)
            else:
                kept.append(place)
        if not kept:
            raise errors[0]
        return cls(tuple(names), tuple(kept), tuple(map(str, errors)))

    def settings(self, asked: Asked) -> Asked:
        """The settings with only what means something, each output with its own rate."""
        if not self.problems:
            return asked
        rates = str(asked.get("rates", "")).split(",")
        own = [rates[place] if place < len(rates) else "" for place in self.kept]
        return {**asked, "outputs": ",".join(self.names[place] for place in self.kept), "rates": ",".join(own) if any(own) else ""}

    def spread(self, kept: Sequence[Any], others: Callable[[str], Any] = str) -> list[Any]:
        """What belongs to each output in its place, with something made of the name for those that were left out."""
        found = dict(zip(self.kept, kept, strict=True))
        return [found[place] if place in found else others(name) for place, name in enumerate(self.names)]
