"""Texts for people, in English and Chinese: data files, read here.

The ground floor: every room that speaks to a person reads the same ones.

A page is `<language>/<page>.toml`; both languages hold the same keys. `formulas` has the formulas, which have no language.
"""

from __future__ import annotations

import locale
import os
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from xent.errors import InputError

LANGUAGES = ("en", "zh")


@cache
def page(name: str, language: str) -> dict[str, Any]:
    """The texts of a page in a language.

    >>> page("article", "en")["claims"]["sigmoid_half"]
    'At zero the sigmoid is one half: g(0) = 0.5.'
    """
    if language not in LANGUAGES:
        raise InputError(f"texts are in English (en) and Chinese (zh), but the language {language!r} was asked for.")
    return tomllib.loads((files(__name__) / language / f"{name}.toml").read_text(encoding="utf-8"))


def language_of_locale() -> str:
    """zh where the user's locale is Chinese, en everywhere else."""
    named = next((os.environ[v] for v in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(v)), "")
    if not named:
        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"
