"""Paragraphs of the texts as HTML: the light markup, the typography, and the measured numbers in their places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

TYPOGRAPHY = (
    (r"(/(?=∂)|′(?=\())", "\\1\N{WORD JOINER}"),
    (r"([∂‖]+)", r'<span class="sign">\1</span>'),  # full-width in Chinese fonts
    (r"\*\*(.+?)\*\*", r"<strong>\1</strong>"),
    (r"\*(.+?)\*", r"<i>\1</i>"),
    (r"\^\(([^()]*)\)", r"<sup>\1</sup>"),
    (r"(?<=[\w)])\^(\w)", r"<sup>\1</sup>"),
    (r"\b([a-z])_([a-z])\b", r"\1<sub>\2</sub>"),
    (r"&#39;", "’"),
    (r" ([−+=<→≪]|&lt;) ", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}"),
)
"""Patterns in escaped text, and what stands there in HTML; a formula is not broken at its signs."""


@dataclass(frozen=True)
class Prose:
    """Light markup as HTML, with the measured numbers filled in.

    >>> Prose({"n": "<3>"})("*a* is {n}, **not** `b < c`; e^(−*s*)")
    Markup('<i>a</i> is &lt;3&gt;, <strong>not</strong> <code>b &lt; c</code>; e<sup>−<i>s</i></sup>')
    """

    values: Mapping[str, str]

    @classmethod
    def of(cls, words: Mapping[str, str | None], never: str) -> Prose:
        """The measured words, None said as `never`."""
        return cls({name: never if word is None else word for name, word in words.items()})

    def __call__(self, text: str) -> Markup:
        """The text as HTML."""
        # Values last: they are never read as markup, and Markup.format escapes them.
        return self.typeset(text).format(**self.values)

    def plain(self, text: str) -> str:
        """The text without markup, for where HTML cannot stand."""
        return re.sub("[*`]", "", text).format(**self.values)

    @staticmethod
    def typeset(text: str) -> Markup:
        """The text as HTML with its names in braces still to be filled."""
        pieces = re.split(r"(`[^`]*`)", str(escape(text)))
        return Markup("".join(f"<code>{p[1:-1]}</code>" if p.startswith("`") else _typeset(p) for p in pieces))


def _typeset(text: str) -> str:
    for pattern, shown in TYPOGRAPHY:
        text = re.sub(pattern, shown, text)
    return text
