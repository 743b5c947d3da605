"""What a diagnosis says: findings with their evidence, cures and trials, what could not be checked, and the picture of the gain."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xent import texts
from xent.doctor.cure import RATES, Cure, Tried
from xent.doctor.picture import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Unchecked:
    """A rule that could not look, and why: a key of the texts, and a detail."""

    rule: str
    reason: str
    detail: str = ""

    def told(self, language: str = "en") -> str:
        """Why, in a language."""
        page = texts.page("doctor", language)
        key, _, rest = self.detail.partition("|")
        detail = page["unseen"][key].format(detail=rest) if key in page["unseen"] else self.detail
        return str(page["unchecked"][self.reason].format(detail=detail))


@dataclass(frozen=True)
class Finding:
    """A rule that was broken: how bad that is, the numbers of this batch, the cure, and what came of trying it.

    `tried` is None where the cure could not be run; `untried` then says why.
    """

    rule: str
    severity: str
    evidence: dict[str, Any]
    variant: str = ""
    remedy: Cure | None = field(default=None, repr=False)
    tried: Tried | None = None
    reason: str = ""

    @property
    def cure(self) -> str:
        """The cure in English: code for this model."""
        return self.cured("en")

    @property
    def untried(self) -> str:
        """Why the cure was not tried; empty where it was."""
        return self.not_tried("en")

    def title(self, language: str = "en") -> str:
        """The rule in a few words."""
        return str(self._page(language)["title"])

    def what(self, language: str = "en") -> str:
        """What is wrong, with the numbers of this batch."""
        page = self._page(language)
        return _filled(
            page["what" + (f"-{self.variant}" if self.variant and f"what-{self.variant}" in page else "")], self.evidence, language
        )

    def why(self, language: str = "en") -> str:
        """Why that matters: the formula, in two lines."""
        return _filled(self._page(language)["why"], self.evidence, language)

    def cured(self, language: str = "en") -> str:
        """The cure, in a language."""
        if self.remedy is None:
            return self._page(language).get("cure", "")
        return _filled(texts.page("doctor", language)["cures"][self.remedy.key], self.remedy.words, language)

    def alternatives(self, language: str = "en") -> list[str]:
        """Other ways to the same end."""
        page = texts.page("doctor", language)["cures"]
        return [_filled(page[key], self.remedy.words, language) for key in self.remedy.alternatives] if self.remedy else []

    def not_tried(self, language: str = "en") -> str:
        """Why the cure was not tried, in a language."""
        why: str = texts.page("doctor", language)["untried"][self.reason] if self.reason else ""
        return why

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates that were tried."""
        return RATES

    def trial(self, language: str = "en") -> str:
        """What came of trying the cure, on one line."""
        if self.tried is None:
            return self.not_tried(language)
        t = self.tried
        words: dict[str, str] = texts.page("doctor", language)["trial"]
        new = _run(t.new, words)
        if t.old is None:
            return words["alone"].format(new=new, steps=t.steps)
        return words[t.verdict].format(old=_run(t.old, words), new=new, steps=t.steps)

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "rule": self.rule, "severity": self.severity, "title": self.title(language), "what": self.what(language),
            "why": self.why(language), "evidence": self.evidence, "cure": self.cured(language),
            "alternatives": self.alternatives(language),
            "tried": asdict(self.tried) | {"verdict": self.tried.verdict} if self.tried else None,
            "untried": self.not_tried(language), "trial": self.trial(language),
        }  # fmt: skip

    def _page(self, language: str) -> dict[str, str]:
        page: dict[str, str] = texts.page("doctor", language)["rules"][self.rule]
        return page


@dataclass(frozen=True)
class Diagnosis:
    """Findings, the gravest first, and what could not be checked. Prints as a report; `ok`: neither error nor warning."""

    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...]
    picture: Picture = field(repr=False)
    name: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a remark was found."""
        return all(finding.severity == "info" for finding in self.findings)

    def worst(self) -> str:
        """error, warning, info, or nothing."""
        return self.findings[0].severity if self.findings else ""

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en") -> str:
        """The report, in a language."""
        page = texts.page("doctor", language)
        words = page["words"]
        lines = [f"{self.name}: {words['ok'] if self.ok else words['found'].format(n=len(self.findings))}", self.summary(language)]
        for finding in self.findings:
            lines += ["", f"{MARKS[finding.severity]} {finding.title(language)}  [{finding.rule}]", f"  {finding.what(language)}"]
            lines += [f"  {line}" for line in finding.why(language).strip().splitlines()]
            cure = finding.cured(language)
            lines += [f"  {words['cure']}{line}" if i == 0 else f"    {line}" for i, line in enumerate(cure.strip().splitlines())]
            others = finding.alternatives(language)
            lines += (
                [f"  {words['alternatives']}" + words["semicolon"].join(o.strip().splitlines()[0] for o in others)]
                if others
                else []
            )
            lines += [f"  {words['tried'] if finding.tried else ''}{finding.trial(language)}"] if finding.trial(language) else []
        if self.unchecked:
            lines += ["", words["unchecked"]]
            lines += [f"  {', '.join(names)}: {why}" for why, names in self.not_checked(language).items()]
        return "\n".join(lines)

    def summary(self, language: str = "en") -> str:
        """How much of the error arrives, in one line."""
        words, p = texts.page("doctor", language)["words"], self.picture
        if not p.name:
            return str(words["no-picture"])
        key = "gain" if not math.isnan(p.gain) else "gain-none"
        return str(words[key].format(name=p.name, n=p.n, gain=f"{p.gain:.3g}", wrong=p.wrong, stalled=p.stalled))

    def not_checked(self, language: str) -> dict[str, list[str]]:
        """The rules that could not look, by their reason."""
        grouped: dict[str, list[str]] = {}
        for one in self.unchecked:
            grouped.setdefault(one.told(language), []).append(one.rule)
        return grouped

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """The diagnosis as plain data."""
        p = self.picture
        return {
            "model": self.name, "ok": self.ok, "findings": [f.as_dict(language) for f in self.findings],
            "unchecked": [{"rule": u.rule, "why": u.told(language)} for u in self.unchecked],
            "gain": None if not p.name else {
                "output": p.name, "samples": p.n, "median": p.gain, "wrong": p.wrong, "stalled": p.stalled,
            },
            "samples": p.as_dict(),
        }  # fmt: skip

    def figure(self, *, theme: str = "light", language: str = "en") -> Figure:
        """Per sample error against correction, with the line of gain 1, as a matplotlib figure."""
        from xent import figures

        return figures.draw_diagnosis(self, theme=theme, language=language)

    def _repr_html_(self) -> str:
        """The text and the figure, where a notebook shows the diagnosis."""
        from xent import figures

        drawn = figures.svg(self.figure()) if self.picture.n else ""
        return f"<pre style='white-space: pre-wrap'>{escape(self.text())}</pre>{drawn}"

    def report(self, path: str | Path, *, language: str = "en") -> Path:
        """Writes the diagnosis as one HTML file, which needs no network; returns its path."""
        from xent import figures, files, report

        def drawn(draw: Any, what: Any) -> tuple[str, str]:
            light, dark = (figures.svg(draw(what, theme=theme, language=language)) for theme in ("light", "dark"))
            return light, dark

        pictures = {"": drawn(figures.draw_diagnosis, self)} if self.picture.n else {}
        pictures |= {f.rule: drawn(figures.draw_trial, f.tried) for f in self.findings if f.tried is not None}
        path = Path(path)
        files.folder(path.parent)
        return files.write(path, report.doctor(self, language=language, figures=pictures))


MARKS = {"error": "✗", "warning": "!", "info": "·"}


def shown(x: Any) -> str:
    """A number as short as it is clear; a share is a share."""
    if isinstance(x, bool) or not isinstance(x, int | float):
        return str(x)
    if isinstance(x, float) and math.isinf(x):
        return "∞" if x > 0 else "−∞"
    whole = isinstance(x, int) or 1000 <= abs(x) < 1e6
    return (f"{x:,.0f}" if whole else f"{x:.3g}").replace("-", "−")


def _filled(text: str, values: dict[str, Any], language: str) -> str:
    """A text with its names filled in; {x} a number, {x%} a share in percent; some names have words of their own."""
    named = texts.page("doctor", language)["names"]
    values_told = {key: named.get(v, v) if isinstance(v, str) else shown(v) for key, v in values.items()}
    values_told |= {
        f"{key}_pct": f"{100 * v:.0f} %" if v >= 0.01 or v == 0 else f"{100 * v:.2g} %"
        for key, v in values.items()
        if isinstance(v, float)
    }
    told = text.format_map(_Known(values_told))
    return told[:1].upper() + told[1:] if language == "en" and told[:1].isascii() else told


class _Known(dict[str, str]):
    """Values for a text; an unknown name is a mistake of ours, shown and not raised in a user's face."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _run(curve: Any, words: dict[str, str]) -> str:
    """One run at its best rate, in words."""
    key = "score" if not math.isnan(curve.accuracy[-1]) else "number"
    return words[key].format(
        accuracy=f"{100 * curve.accuracy[-1]:.0f} %", log=shown(curve.log_probability[-1]), rate=f"{curve.rate:g}",
        log0=shown(curve.log_probability[0]), mean=shown(curve.mean),
    )  # fmt: skip
