"""The article's report as one HTML page, which needs no network and no script.

Every word comes from `texts`, every number from the study, every picture from the caller; the template only arranges them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xent.article import Experiment, Study
from xent.errors import InputError
from xent.report.prose import Prose
from xent.texts import page
from xent.texts.formulas import formula

Pictures = Mapping[str, tuple[str, str]]

TAGS = {"zh": "zh-Hans"}
COLUMNS = ("start", "cost", "rate", "first_output", "last_output", "delta0", "gain0", "below_half", "fastest")


def article(study: Study, *, language: str = "en", figures: Pictures, version: str) -> str:
    """The whole page; `figures` maps the id of each point to its picture as SVG, on light and on dark paper."""
    text = page("article", language)
    prose = Prose.of(study.words, text["words"]["never"])
    pages = [(str(number), entry) for number, entry in enumerate(text["points"], start=1)]
    pages += [("", entry) for entry in text["beyond"]]
    sections = [Section.of(number, place, entry, prose, figures, language) for place, (number, entry) in enumerate(pages, start=1)]
    html: str = _template().render(
        lang=TAGS.get(language, language),
        title=prose(text["title"]),
        marks={key: prose(words) for key, words in text["marks"].items()},
        words={key: prose.typeset(words) for key, words in text["words"].items()},
        lead=[prose(paragraph) for paragraph in text["lead"]],
        claims=[(prose(text["claims"][claim.id]), claim) for claim in study.claims],
        verdict=_verdict([claim.agrees for claim in study.claims], text["words"]),
        columns=[prose.typeset(text["words"][column]) for column in COLUMNS],
        rows=[_row(experiment, text["words"]) for experiment in study.experiments],
        points=[section for section in sections if section.number],
        beyond=[section for section in sections if not section.number],
        footer=text["words"]["footer"].format(version=version),
    )
    return html


@dataclass(frozen=True)
class Picture:
    """A figure as two data URIs, its size on the page, its number and its caption."""

    light: str
    dark: str
    width: int
    height: int
    number: int
    caption: Markup
    alt: str

    @classmethod
    def of(cls, number: int, caption: str, prose: Prose, pictures: tuple[str, str]) -> Picture:
        """The picture of an SVG text for light and one for dark paper, with its size in pixels taken from the light one."""
        light, dark = (f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}" for svg in pictures)
        size = re.search(r'viewBox="\S+ \S+ ([\d.]+) ([\d.]+)"', pictures[0])
        if size is None:
            raise InputError(f"figure {number} ({caption}) is to be an SVG text with a viewBox, but has none.")
        width, height = (round(float(points) * 4 / 3) for points in size.groups())
        return cls(light, dark, width, height, number, prose(caption), prose.plain(caption))

    @property
    def wide(self) -> bool:
        """Whether the picture has panels side by side, too small to read at a phone's width."""
        return self.width > 600


@dataclass(frozen=True)
class Section:
    """A point of the article, or (without a number) one of those that it does not make."""

    id: str
    number: str
    mark: str
    title: Markup
    first: Markup
    formulas: list[Markup]
    rest: list[Markup]
    picture: Picture

    @classmethod
    def of(cls, number: str, place: int, entry: Mapping[str, Any], prose: Prose, figures: Pictures, language: str) -> Section:
        """The section of an entry of the texts."""
        if entry["id"] not in figures:
            raise InputError(f"the report shows a figure for {entry['id']!r}, but figures came for {', '.join(figures) or 'none'}.")
        first, *rest = map(prose, entry["body"])
        shown = [Markup(formula(key).mathml(language)) for key in entry["formulas"]]
        picture = Picture.of(place, entry["caption"], prose, figures[entry["id"]])
        return cls(entry["id"], number, entry["mark"], prose(entry["title"]), first, shown, rest, picture)


def _verdict(agree: list[bool], words: Mapping[str, str]) -> str:
    """The outcome of all claims in a sentence."""
    bad = agree.count(False)
    return words["verdict_some"].format(bad=bad, n=len(agree)) if bad else words["verdict_all"].format(n=len(agree))


def _row(experiment: Experiment, words: Mapping[str, str]) -> list[str]:
    """One row of the table of experiments, as it is printed."""
    n = experiment.numbers
    never = words["never"]
    return [
        str(n["start"]),
        words[n["cost"].replace("-", "_")],
        f"{n['rate']:g}",
        f"{n['a0']:.4f}",
        f"{n['a300']:.4f}",
        f"{n['delta0']:.4f}",
        f"{n['gain0']:.3g}",
        never if n["first_below_half"] is None else str(n["first_below_half"]),
        str(n["fastest_fall"]),
    ]


@cache
def _template() -> Any:
    """The page's template, which refuses names that it was not given."""
    environment = Environment(
        loader=PackageLoader("xent.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("article.html.jinja")
