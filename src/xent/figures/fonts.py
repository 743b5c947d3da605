"""Which font writes the Chinese of a figure.

Fonts for everything else come with matplotlib; one with Chinese glyphs is looked for on the machine when it is first needed, and
where there is none the figures speak English.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from matplotlib import font_manager

from xent import texts

HOUSE = ("DejaVu Sans", "DejaVu Serif")
"""Bundled with matplotlib: words, figures and Greek from the first; the second adds the italic letters of mathematics."""

CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "SimHei",
    "Heiti SC",
    "STHeiti",
    "Sarasa Gothic SC",
    "Droid Sans Fallback",
    "DengXian",
    "SimSun",
    "Noto Serif CJK SC",
    "Arial Unicode MS",
)
"""Fonts with Simplified Chinese, the best first."""

LAST_RESORT = "Noto Sans CJK"
"""An older matplotlib sees only the first face of a collection, the Japanese one: some shapes differ, all can be read."""

FILES = ("notosanscjk", "notosanssc", "sourcehansans", "pingfang", "hiragino sans gb", "msyh", "wqy", "simhei", "stheiti", "simsun")
"""How the files of such fonts are called."""


FAR_EAST = ("\u2e80", "\uffef")
"""The letters that such a font is wanted for."""


def chinese_font() -> str | None:
    """The name of a font with Chinese glyphs, or None where the machine has none."""
    return _best(_known()) or _installed_since()


def what_to_install(language: str = "en") -> str:
    """What to say to someone whose machine has no Chinese font.

    >>> "apt install fonts-noto-cjk" in what_to_install("en")
    True
    """
    message: str = texts.page("figures", language)["fonts"]["missing"]
    return message


def families(language: str, names: str = "") -> list[str]:
    """The fonts of a figure in a language, each one consulted for the glyphs that those before it lack.

    `names` are letters from the user's data: they may be Chinese where the language is not.
    """
    chinese = chinese_font() if language == "zh" or any(FAR_EAST[0] <= letter <= FAR_EAST[1] for letter in names) else None
    return [*HOUSE, *([chinese] if chinese else [])]


def _best(names: Iterable[str]) -> str | None:
    names = sorted(set(names))
    liked = [name for name in CHINESE if name in names]
    return next(iter([*liked, *(name for name in names if name.startswith(LAST_RESORT))]), None)


def _known() -> list[str]:
    return [font.name for font in font_manager.fontManager.ttflist]


@cache
def _installed_since() -> str | None:
    """A font that was installed after matplotlib wrote its list of fonts, which it does only once in its life."""
    for path in font_manager.findSystemFonts():
        if Path(path).name.lower().startswith(FILES):
            font_manager.fontManager.addfont(path)
    return _best(_known())
