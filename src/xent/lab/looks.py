"""The colour and the dashes of each curve: the rule of the library's figures, said in names that the page's style sheet knows."""

from __future__ import annotations

from collections.abc import Sequence

from xent.outputs import Output

OWN = ("quadratic", "cross-entropy", "focal", "absolute")
"""Costs with a colour of their own; the others take turns at OTHERS more."""
OTHERS = 4
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def looks(outputs: Sequence[Output]) -> list[dict[str, str]]:
    """A colour for each cost and dashes for each output, which come round after five.

    >>> from xent.outputs import output
    >>> looks([output("quadratic"), output("hinge"), output("quadratic@tanh")])[1:]
    [{'colour': 'other-0', 'dash': 'dash'}, {'colour': 'quadratic', 'dash': 'dot'}]
    """
    strangers = list(dict.fromkeys(one.cost.name for one in outputs if one.cost.name not in OWN))
    colours = {name: name for name in OWN} | {name: f"other-{i % OTHERS}" for i, name in enumerate(strangers)}
    return [{"colour": colours[one.cost.name], "dash": DASHES[i % len(DASHES)]} for i, one in enumerate(outputs)]
