"""The words of the pages in one language, and what the library has to offer, as one piece of JSON."""

from __future__ import annotations

from functools import cache
from typing import Any

from xent import texts
from xent.explaining import contents
from xent.outputs import catalogue


@cache
def words(language: str) -> dict[str, Any]:
    """All that a page says, and the catalogue of outputs with their titles.

    >>> words("en")["catalogue"][0]
    {'name': 'quadratic@sigmoid', 'title': 'The quadratic cost', 'vector': False}
    """
    titles = dict(contents(language))
    known = [{"name": str(one), "title": titles[str(one)], "vector": one.activation.vector} for one in catalogue()]
    return {**texts.page("lab", language), "catalogue": known}
