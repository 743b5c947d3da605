"""The colour and the dashes of each curve: the rules of the library's figures, said in names that the page's style sheet knows."""

from __future__ import annotations

from collections.abc import Sequence

from xent.outputs import Output
from xent.outputs.looks import colours, dashes

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def looks(outputs: Sequence[Output]) -> list[dict[str, str]]:
    """A colour for each cost and dashes for each output, which come round after five.

    >>> from xent.outputs import output
    >>> looks([output("quadratic"), output("hinge"), output("quadratic@tanh")])[1:]
    [{'colour': 'other-0', 'dash': 'dash'}, {'colour': 'quadratic', 'dash': 'dot'}]
    """
    return _named(outputs, [i % len(DASHES) for i in range(len(outputs))])


def looks_of_race(outputs: Sequence[Output]) -> list[dict[str, str]]:
    """A colour for each cost and dashes for each activation.

    >>> from xent.outputs import output
    >>> looks_of_race([output("quadratic"), output("cross-entropy@softmax"), output("quadratic@softmax")])[1:]
    [{'colour': 'cross-entropy', 'dash': 'dash'}, {'colour': 'quadratic', 'dash': 'dash'}]
    """
    return _named(outputs, dashes(outputs, len(DASHES)))


def _named(outputs: Sequence[Output], places: list[int]) -> list[dict[str, str]]:
    colour = colours(one.cost.name for one in outputs)
    return [{"colour": colour[one.cost.name], "dash": DASHES[p]} for one, p in zip(outputs, places, strict=True)]
