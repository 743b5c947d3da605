"""Texts: the same keys in every language, and the language of a locale."""

from __future__ import annotations

import string
from importlib.resources import files

import pytest

from xent import texts
from xent.errors import InputError

PAGES = sorted(p.name.removesuffix(".toml") for p in (files("xent.texts") / "en").iterdir())


def leaves(data, path=()):
    """Every string of a page with its place."""
    if isinstance(data, str):
        return {path: data}
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return {place: text for key, value in items for place, text in leaves(value, (*path, key)).items()}


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_say_the_same_things(name):
    english, chinese = (leaves(texts.page(name, language)) for language in texts.LANGUAGES)
    structure = [{tuple(k for k in path if isinstance(k, str)) for path in words} for words in (english, chinese)]
    assert structure[0] == structure[1]


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_name_the_same_numbers(name):
    def fields(language):
        pieces = [piece for text in leaves(texts.page(name, language)).values() for piece in string.Formatter().parse(text)]
        return {field for _, field, _, _ in pieces if field}

    assert fields("en") == fields("zh")


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "de_DE"}, "en"),
        ({"LC_ALL": "en_US", "LANG": "zh_CN"}, "en"),
        ({"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "en_US"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_of_a_locale(monkeypatch, variables, language):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert texts.language_of_locale() == language


def test_an_unknown_language():
    with pytest.raises(InputError, match=r"\(en\).*\(zh\).*'fr'"):
        texts.page("article", "fr")
