"""How outputs that are drawn together are told apart: colour is the cost, and in a race dashes are the activation.

In names and places only; figures and pages have the colours and dashes themselves, and so draw the same output alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xent.outputs.base import Output

OWN = ("quadratic", "cross-entropy", "focal", "absolute")
"""Costs with a colour of their own; the others take turns at OTHERS more."""
OTHERS = 4


def colours(costs: Iterable[str]) -> dict[str, str]:
    """The name of each cost's colour.

    >>> colours(["quadratic", "hinge", "exponential"])
    {'quadratic': 'quadratic', 'hinge': 'other-0', 'exponential': 'other-1'}
    """
    named = list(dict.fromkeys(costs))
    strangers = [name for name in named if name not in OWN]
    return {name: name if name in OWN else f"other-{strangers.index(name) % OTHERS}" for name in named}


def dashes(outputs: Sequence[Output], kinds: int = 5) -> list[int]:
    """Which of so many kinds of dashes each output has: its activation's, and where two would look the same the next that is free.

    >>> from xent.outputs import output
    >>> dashes([output(name) for name in ("quadratic@sigmoid", "quadratic@softmax", "lq@softmax", "quadratic@sigmoid")])
    [0, 1, 1, 2]
    """
    colour = colours(one.cost.name for one in outputs)
    activations = list(dict.fromkeys(one.activation.name for one in outputs))
    taken: set[tuple[str, int]] = set()
    chosen = []
    for one in outputs:
        wanted, mine = activations.index(one.activation.name) % kinds, colour[one.cost.name]
        place = next((p for p in (wanted, *range(kinds)) if (mine, p) not in taken), wanted)
        taken.add((mine, place))
        chosen.append(place)
    return chosen
