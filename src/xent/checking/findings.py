"""What a check finds, and how it is told: a rule, what it saw where, and the report. The sentences stand in `texts`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from xent import texts

Place = float | tuple[float, ...] | None
"""One number, the numbers of one row, or nothing."""


@dataclass(frozen=True)
class Evidence:
    """Where a rule was broken, what came there, what was expected and how far off that is, relative to the larger of the two."""

    a: Place = None
    y: Place = None
    z: Place = None
    came: float | str | None = None
    expected: float | str | None = None
    off: float | None = None
    points: int | None = None
    """At how many of `of` points."""
    of: int | None = None


@dataclass(frozen=True)
class Finding:
    """A rule that was broken (a problem), or something good to know (a remark).

    >>> print(Finding("sign", Evidence(a=0.25, y=1.0, came=0.75, expected=-0.75, off=2.0), (("what", "slope"),)).sentence)
    slope has the wrong sign: it is minus the derivative, so learning would make every answer worse.
    """

    rule: str
    evidence: Evidence = Evidence()
    words: tuple[tuple[str, str], ...] = ()
    """What the sentence's placeholders stand for."""

    @property
    def sentence(self) -> str:
        """What is wrong, in English."""
        return self.told("en")

    def title(self, language: str = "en") -> str:
        """The rule in a few words."""
        title: str = texts.page("check", language)["rules"][self.rule]["title"]
        return title

    def told(self, language: str) -> str:
        """What is wrong, in a language."""
        page = texts.page("check", language)
        known = page["what"]
        sentence: str = page["rules"][self.rule]["says"].format(**{k: known.get(v, v) for k, v in self.words})
        return sentence

    def seen(self, language: str = "en") -> str:
        """The evidence on one line; nothing where there is none."""
        words, e = texts.page("check", language)["words"], self.evidence
        where = ", ".join(f"{name} = {shown(x)}" for name, x in (("a", e.a), ("y", e.y), ("z", e.z)) if x is not None)
        parts = [words["at"].format(where=where)] if where else []
        words = words | texts.page("check", language)["rules"][self.rule]  # some rules have other words for what came
        parts += [words[key].format(x=shown(x)) for key, x in (("came", e.came), ("expected", e.expected)) if x is not None]
        if e.off is not None:
            parts.append(words["off"].format(x=f"{100 * e.off:.3g} %"))
        if e.points is not None and e.of is not None:
            parts.append(words["points"].format(n=e.points, of=e.of))
        join: str = words["join"]
        return join.join(parts)

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """The finding as plain data."""
        evidence = {key: list(x) if isinstance(x, tuple) else x for key, x in asdict(self.evidence).items() if x is not None}
        return {"rule": self.rule, "title": self.title(language), "sentence": self.told(language), "evidence": evidence}


@dataclass(frozen=True)
class Check:
    """The verdict on a cost or an output. `ok` when there are no problems; remarks are no faults. Prints as a report."""

    name: str
    problems: tuple[Finding, ...]
    remarks: tuple[Finding, ...]
    looked: tuple[tuple[str, int], ...]
    """What was looked at, and at how many points."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en") -> str:
        """The report, in a language."""
        page = texts.page("check", language)
        words = page["words"]
        verdict = words["ok"] if self.ok else words["wrong"].format(n=len(self.problems))
        lines = [f"{self.name}: {verdict}"]
        for mark, findings in (("✗", self.problems), ("·", self.remarks)):
            for finding in findings:
                lines += ["", f"{mark} {finding.title(language)}  [{finding.rule}]", f"  {finding.told(language)}"]
                lines += [f"  {finding.seen(language)}"] if finding.seen(language) else []
        looked = words["comma"].join(words["looked_at"].format(what=page["what"][what], n=n) for what, n in self.looked)
        lines += ["", words["looked"].format(what=looked)] if looked else []
        lines += [words["stopped"]] if any(p.rule in STRUCTURE for p in self.problems) else []
        return "\n".join(lines)

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """The verdict as plain data."""
        return {
            "name": self.name,
            "ok": self.ok,
            "problems": [p.as_dict(language) for p in self.problems],
            "remarks": [r.as_dict(language) for r in self.remarks],
            "looked": dict(self.looked),
        }


STRUCTURE = ("raises", "reduces", "shape", "type", "random", "mixes", "digits")
"""Problems after which the numbers themselves cannot be looked at."""


def shown(x: float | str | tuple[float, ...]) -> str:
    """A number, a row of them or a text, as short as it is clear; a number next to 1 keeps its distance from it.

    >>> shown(0.25), shown((0.5, 0.5)), shown(1 - 2.0**-40)
    ('0.25', '(0.5, 0.5)', '1 − 9.1e-13')
    """
    if isinstance(x, str):
        return x
    if isinstance(x, tuple):
        return "(" + ", ".join(map(shown, x)) + ")"
    short, rest = f"{x:.6g}", 1 - abs(x)
    if short in ("1", "-1") and rest != 0:
        return f"{short} {'−' if (rest > 0) == (x > 0) else '+'} {abs(rest):.2g}"
    return short
