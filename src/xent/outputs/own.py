"""Which part of an output is the code of its user."""

from __future__ import annotations

from inspect import isfunction
from typing import Any

from xent.outputs.base import Output

FOREIGN = {"xent", "builtins", "abc", "typing", "types", "dataclasses", "collections"}
"""Where a class is nobody's own formula."""


def own_kinds(output: Output) -> list[Any]:
    """The classes of the user's own that an output is made of, those that they build on included; or the functions."""
    parts: list[Any] = [output, output.cost, output.activation]
    for part in parts:  # what wraps a cost or stands for one, too
        parts += [getattr(part, name) for name in ("own", "cost", "beneath") if part is not output and hasattr(part, name)]
    kinds = dict.fromkeys(kind for part in parts for kind in ((part,) if isfunction(part) else type(part).__mro__))
    return [kind for kind in kinds if kind.__module__.partition(".")[0] not in FOREIGN]


def is_own(output: Output) -> bool:
    """Whether a user's own code takes part in an output.

    >>> from xent.outputs import output
    >>> is_own(output("quadratic@sigmoid"))
    False
    """
    return bool(own_kinds(output))
