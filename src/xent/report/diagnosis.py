"""A diagnosis as one HTML page, which needs no network and no script.

Every word comes from `texts` and from the diagnosis, every picture from the caller; the template only arranges them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from xent.report.article import TAGS, Picture, Pictures
from xent.report.prose import Prose
from xent.texts import page

if TYPE_CHECKING:
    from xent.doctor import Diagnosis, Finding


def doctor(diagnosis: Diagnosis, *, language: str = "en", figures: Pictures) -> str:
    """The whole page; `figures` maps each rule whose cure was tried, and "" for the gain, to SVG on light and on dark paper."""
    from xent import __version__

    text = page("doctor", language)
    words, prose = text["words"], Prose({})
    html: str = _template().render(
        lang=TAGS.get(language, language),
        title=words["title"].format(name=diagnosis.name),
        words=words,
        severities=text["severity"],
        verdict=words["ok"] if diagnosis.ok else words["found"].format(n=len(diagnosis.findings)),
        ok=diagnosis.ok,
        summary=diagnosis.summary(language),
        picture=Picture.of(1, words["caption"], prose, figures[""]) if "" in figures else None,
        findings=[_finding(finding, figures, prose, words, language) for finding in diagnosis.findings],
        unchecked=[(", ".join(rules), why) for why, rules in diagnosis.not_checked(language).items()],
        footer=words["footer"].format(version=__version__),
    )
    return html


def _finding(finding: Finding, figures: Pictures, prose: Prose, words: dict[str, str], language: str) -> dict[str, Any]:
    """What the template shows of a finding. The texts hold numbers and code already: they are not read as markup."""
    lines = finding.cured(language).strip().splitlines() or [""]
    curves = None
    if finding.rule in figures:
        rates = ", ".join(f"{rate:g}" for rate in finding.rates)
        curves = Picture.of(2, words["curves"].format(rates=rates), prose, figures[finding.rule])
    return {
        "rule": finding.rule, "severity": finding.severity,
        "title": finding.title(language), "what": finding.what(language),
        "why": finding.why(language).strip().splitlines(), "cure": lines[0], "code": "\n".join(lines[1:]), "curves": curves,
        "alternatives": [other.strip().splitlines()[0] for other in finding.alternatives(language)],
        "trial": finding.trial(language),
    }  # fmt: skip


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("xent.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("doctor.html.jinja")
