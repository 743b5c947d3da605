"""The errors that xent raises, and how a message is built. The ground floor: imports nothing.

    XentError
    ├── InputError (ValueError)           a value that the operation cannot take
    │   ├── ShapeError                    … because of its shape
    │   ├── TargetError                   … because it is no valid target of this cost
    │   ├── PairError                     … a cost and an activation that do not belong together
    │   └── UnknownNameError              … a name that is not known (the message says what was meant)
    ├── ArrayKindError (TypeError)        arrays of two libraries at once, or of a dtype that has no meaning here
    ├── ModelError (RuntimeError)         a user's model or criterion raised; its own message stands first
    └── MissingPackageError (ImportError) an optional package is needed

Every message says what was asked, what came and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MOST = 50
"""Names that a message lists; a table may have thousands of columns."""


def listed(names: Sequence[str]) -> str:
    """The names with commas between them.

    >>> listed(["a", "b"]), listed(["x"] * 52)[-14:]
    ('a, b', 'x and 2 others')
    """
    shown = ", ".join(names[:MOST])
    return f"{shown} and {len(names) - MOST} others" if len(names) > MOST else shown


def an(noun: str) -> str:
    """A noun with its article.

    >>> an("int"), an("list"), an("UNet")
    ('an int', 'a list', 'a UNet')
    """
    return f"{'an' if noun[:1] in 'aeioAEIO' else 'a'} {noun}"


class XentError(Exception):
    """The root of every error that xent raises on purpose."""


class InputError(XentError, ValueError):
    """A value that the operation cannot take."""


class ShapeError(InputError):
    """An array whose shape does not fit."""


class TargetError(InputError):
    """A target outside what the cost accepts."""


class PairError(InputError):
    """A cost and an activation that do not belong together."""


class UnknownNameError(InputError):
    """A name of some kind that is not known; `suggestions` holds the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], meant: Iterable[str] = ()) -> None:
        known = sorted(known)
        self.kind, self.name = kind, name
        same = [one for one in known if one.casefold() == name.casefold()]
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        self.suggestions = list(dict.fromkeys([*meant, *same, *near]))
        hint = f"did you mean {' or '.join(map(repr, self.suggestions))}? " if self.suggestions else ""
        super().__init__(f"there is no {kind} named {name!r}: {hint}Known are {listed(known)}.")


class ArrayKindError(XentError, TypeError):
    """Arrays of two libraries in one call, or of a dtype that has no meaning here."""


class ModelError(XentError, RuntimeError):
    """A user's own model, forward or criterion raised an error; the message begins with it."""


class MissingPackageError(XentError, ImportError):
    """An optional package is needed for what was asked."""
