"""The checker's specimens: costs and outputs as people write them, each wrong one with its rule, each right one with its remarks.

`right` and `wrong` hold them in files by what they are about; a wrong one builds on a right one where it breaks one thing of it.
"""

from __future__ import annotations

import xent

WRONG: dict[str, tuple[object, str]] = {}
RIGHT: dict[str, tuple[object, set[str]]] = {}


def faulty(rule, *, made=None):
    """Adds a wrong one, and the rule that must name its mistake."""

    def enter(cls):
        WRONG[cls.__name__] = (made(cls) if made else cls), rule
        return cls

    return enter


def sound(*remarks, made=None):
    """Adds a right one, and the remarks that are true of it."""

    def enter(cls):
        RIGHT[cls.__name__] = (made(cls) if made else cls), set(remarks)
        return cls

    return enter


def on(name):
    """How an output of one's own is made of the cost and the activation of one of xent's."""
    output = xent.output(name)
    return lambda cls: cls(output.cost, output.activation)


from . import right as right
from . import wrong as wrong
