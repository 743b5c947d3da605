"""What a page consists of: formulas and facts, a curve, a derivation line by line, samples, paragraphs, code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from xent.activations import Activation
from xent.outputs import Output
from xent.texts.formulas import Formula


@dataclass(frozen=True)
class Line:
    """One line of a derivation."""

    formula: Formula
    reason: str


@dataclass(frozen=True)
class Fact:
    """A property in few words: parameters, domain, targets."""

    id: str
    name: str
    value: str


@dataclass(frozen=True)
class Plot:
    """One curve, with the words that stand around it."""

    title: str
    x_label: str
    note: str
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Sample:
    """What an output makes of one error."""

    answer: float
    error: float
    cost: float
    delta: float
    gain: float


@dataclass(frozen=True)
class Section:
    """A heading and a paragraph in light markup."""

    id: str
    title: str
    body: str


@dataclass(frozen=True)
class Code:
    """What it is called in a library, if it has a name there, one line that computes it, and what to know about it."""

    library: str
    name: str
    line: str
    note: str


@dataclass(frozen=True)
class Page:
    """All that there is to say of a cost on an output, or of an activation; `subject` is what it is about.

    `axis` is what its answers are read along, as in `outputs.curves`.
    `others` are (name, gain when badly wrong): the same cost on other outputs, or the costs that go with an activation.
    """

    name: str
    subject: Output | Activation
    language: str
    title: str
    aka: str
    idea: str
    formulas: tuple[Formula, ...]
    facts: tuple[Fact, ...]
    axis: str
    plot: Plot
    derivation: tuple[Line, ...]
    samples: tuple[Sample, ...]
    sections: tuple[Section, ...]
    others: tuple[tuple[str, float], ...]
    code: tuple[Code, ...]
    source: str

    def data(self) -> dict[str, Any]:
        """The page as plain data, each formula as text, LaTeX and MathML."""
        written = {name: getattr(self, name) for name in ("name", "language", "title", "aka", "idea", "axis", "source")}
        plot = {"title": self.plot.title, "x_label": self.plot.x_label, "note": self.plot.note}
        return written | {
            "subject": "output" if isinstance(self.subject, Output) else "activation",
            "formulas": [self._written(f) for f in self.formulas],
            **{fact.id: fact.value for fact in self.facts},
            "plot": plot | {"x": self.plot.x.tolist(), "y": self.plot.y.tolist()},
            "derivation": [self._written(line.formula) | {"reason": line.reason} for line in self.derivation],
            "samples": [asdict(sample) for sample in self.samples],
            "sections": [asdict(section) for section in self.sections],
            "others": [{"name": name, "gain": gain} for name, gain in self.others],
            "code": [asdict(code) for code in self.code],
        }

    def _written(self, f: Formula) -> dict[str, str]:
        of = self.language
        return {"key": f.key, "text": f.text(of), "latex": f.latex(of), "mathml": f.mathml(of)}
