"""The words of the pages in one language, and what the library has to offer, as one piece of JSON."""

from __future__ import annotations

from functools import cache
from typing import Any

from xent import texts
from xent.explaining import contents
from xent.lab.own import NONE, Own
from xent.outputs import catalogue


def words(language: str, own: Own = NONE) -> dict[str, Any]:
    """All that a page says and offers: xent's catalogue, then what the command line brought along.

    >>> words("en")["catalogue"][0]
    {'name': 'quadratic@sigmoid', 'title': 'The quadratic cost', 'vector': False}
    """
    return _of_xent(language) | {"mine": own.offered(language)}


@cache
def _of_xent(language: str) -> dict[str, Any]:
    titles = dict(contents(language))
    known = [{"name": str(one), "title": titles[str(one)], "vector": one.activation.vector} for one in catalogue()]
    return {**texts.page("lab", language), "catalogue": known}
