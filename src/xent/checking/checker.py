"""`check_cost`: one look after another, the form of the results before their numbers, the numbers before what they teach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import isabstract, isclass
from typing import Any

import numpy as np

from xent.activations import Activation
from xent.arrays import Array, quiet
from xent.checking import edges, slopes, structure, teaching
from xent.checking.differences import Derivative, typical
from xent.checking.findings import Check, Evidence, Finding
from xent.checking.probes import Points, Probes
from xent.checking.subject import Subject, Trouble
from xent.costs import Cost, adopted_cost
from xent.errors import InputError, PairError
from xent.outputs import Output, output


def check_cost(cost_or_output: Any, activation: str | Activation | None = None) -> Check:
    """Check a cost, on the activation given or else on its usual one, or an output: a user's own or a built-in one.

    The slope is held against differences of the cost over the whole domain and up to its ends, δ against differences of the
    value; further the form of the results (dtype, shape, inputs left unchanged, one term per sample), overflow and nan, clamped
    logarithms, and whether the cost teaches the truth. Problems are faults; remarks (not proper for soft targets, a gain that
    dies, corners) are good to know and leave `ok` true. A right cost is never accused: every difference has an estimated error.

    Raises InputError for what is neither a cost nor an output, PairError for a cost and an activation that do not fit.

    >>> check = check_cost("quadratic@sigmoid")
    >>> check.ok, [remark.rule for remark in check.remarks]
    (True, ['stalls'])
    >>> class Cubic(Cost):
    ...     name = "cubic"
    ...     usual = "sigmoid"
    ...
    ...     def __call__(self, a, y):
    ...         return abs(a - y) ** 3 / 3
    ...
    ...     def slope(self, a, y):
    ...         return (y - a) * abs(a - y)  # turned round
    >>> check_cost(Cubic).problems[0].title()
    'Wrong sign'
    """
    made, problems = _made(cost_or_output, activation)
    if any(problem.rule == "name" for problem in problems):
        return Check(type(made.cost).__name__, tuple(problems), (), ())
    book = _Book(Subject(made), Probes(made.cost, made.activation), list(problems))
    book.look()
    return Check(str(made), tuple(book.problems), tuple(book.remarks), tuple(book.looked))


def _made(what: Any, activation: str | Activation | None) -> tuple[Output, list[Finding]]:
    """The output to check, and what was wrong with it before anything was called."""
    what = instance(what)
    if isinstance(what, str):
        return output(what, activation), []
    what = what if isinstance(what, Output) else adopted_cost(what)
    cost = what.cost if isinstance(what, Output) else what
    if not isinstance(getattr(cost, "name", None), str):
        return what if isinstance(what, Output) else Output(cost, output("quadratic").activation), [Finding("name")]
    if isinstance(what, Output) or activation is not None:
        return output(what, activation), []
    try:
        return output(what), []
    except PairError as error:
        for name in ("sigmoid", "tanh", "softplus", "identity"):
            try:
                made = output(what, name)
            except PairError:
                continue
            words = (("usual", str(what.usual)), ("answers", str(what.answers)), ("name", name))
            return made, [Finding("usual", Evidence(), words)]
        raise error


def instance(what: Any) -> Any:
    """An instance of a class, made without arguments; anything else as it is."""
    if not isclass(what):
        return what
    if not issubclass(what, Cost | Output) and not callable(getattr(what, "slope", None)):
        raise InputError(f"{what.__name__} is no cost: a cost has __call__(a, y), and slope(a, y) that returns ∂C/∂a.")
    if isabstract(what):
        missing = " and ".join(sorted(getattr(what, "__abstractmethods__", ())))
        raise InputError(f"{what.__name__} is not complete: it does not define {missing}.")
    try:
        made = what()
    except Exception as error:
        raise InputError(
            f"{what.__name__} cannot be made without arguments ({type(error).__name__}: {error}): give an instance of it."
        ) from error
    return made


@dataclass
class _Book:
    """The findings so far."""

    subject: Subject
    probes: Probes
    problems: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)
    looked: list[tuple[str, int]] = field(default_factory=list)

    def has(self, *rules: str) -> bool:
        return any(problem.rule in rules for problem in self.problems)

    def look(self) -> None:
        """Everything, each part only where the parts before it left something to look at."""
        try:
            sound = self._form("cost", "slope")
            if sound:
                self._cost()
            if sound and (not self.has("not-finite") or self.subject.own_delta or self.subject.own_value):
                self._output()
        except Trouble as trouble:
            self.problems.append(trouble.finding)

    def _form(self, *names: str) -> bool:
        """Whether these functions return what numbers can be read from."""
        sound = True
        for what in names:
            try:
                self.problems += structure.look(self.subject, self.probes, what)
            except Trouble as trouble:
                self.problems.append(trouble.finding)
                sound = False
        return sound and not self.has("random", "mixes", "digits")

    def _sort(self, findings: Iterator[tuple[Finding, bool]]) -> None:
        for finding, is_problem in findings:
            (self.problems if is_problem else self.remarks).append(finding)

    def _cost(self) -> None:
        subject, probes = self.subject, self.probes
        for what in ("cost", "slope"):
            self._finite(what, probes.of_cost)
        kept = 0.0
        for finding, distance in edges.clamped(subject, probes):
            self.problems.append(finding)
            kept = 4 * distance
        if not kept:
            self.remarks += edges.softened(subject, probes)
        self.looked.append(("slope", len(probes.of_cost)))
        self.problems += self._judged(_away(slopes.of_cost(subject, probes), probes, kept), "slope")
        if self.has("not-finite"):
            return
        for finding, taken in edges.ends(subject, probes):
            if taken:
                self.problems.append(finding)
            elif not subject.own_delta:
                self.remarks.append(finding)
        self._sort(teaching.least(subject, probes))
        if not kept:
            self._sort(teaching.rough(subject, probes))

    def _finite(self, what: str, points: Points) -> None:
        """No nan and no overflow, in float64 and then in float32."""
        found = list(edges.inside(self.subject, points, what))
        if not found and not self.has("dtype", "integers"):
            found = list(edges.narrow(self.subject, self.probes, what))
        self.problems += found

    def _judged(self, seen: slopes.Comparison, what: str, *, name: str = "") -> Iterator[Finding]:
        for finding in slopes.judge(self.subject, seen, what, name=name):
            if finding.rule == "slope" and self._slope_is_delta():
                yield Finding("slope-is-delta", finding.evidence, finding.words)
            else:
                yield finding

    def _slope_is_delta(self) -> bool:
        """Whether the slope is already ∂C/∂z, so that σ′ would come twice."""
        points = self.probes.of_output
        with_answers = slopes.of_output(self.subject, self.probes)
        points = with_answers.points
        came = slopes.along(self.subject.ask("slope", self.subject.predict(points.x), points.y), points.way)
        return slopes.Comparison(points, came, with_answers.truth, with_answers.wrong).equals(with_answers.truth.value)

    def _output(self) -> None:
        subject, probes = self.subject, self.probes
        own = [what for what, is_own in (("value", subject.own_value), ("delta", subject.own_delta)) if is_own]
        if not self._form(*own):
            return
        if own:
            self.problems += structure.broadcasts(subject, probes)
        clamps = list(edges.clamped_output(subject, probes))
        self.problems += clamps
        slope_is_right = not self.has("sign", "factor", "slope", "slope-is-delta", "slope-of-target", "soft-targets", "clamped")
        if subject.own_value:
            self._finite("value", probes.of_output)
            self.problems += _value(subject, probes)
        if slope_is_right or (subject.own_delta and not type(subject.output).__module__.startswith("xent.")):
            seen = slopes.of_output(subject, probes)
            self.looked.append(("delta", len(seen.points)))
            self.problems += self._judged(_moderate(seen) if clamps else seen, "delta", name="" if own else "pullback")
            if subject.own_delta and not seen.wrong.any():
                self._finite("delta", probes.of_output)
        if not self.problems:
            self.problems += _gain(subject, probes)
            self.remarks += teaching.stalls(subject, probes)
            self.remarks += edges.rounded(subject, probes)


def _away(seen: slopes.Comparison, probes: Probes, distance: float) -> slopes.Comparison:
    """A comparison without the points that a clamp holds."""
    if not distance:
        return seen
    x = seen.points.x if seen.points.x.ndim > 1 else seen.points.x[:, None]
    low, high = probes.domain.low, probes.domain.high
    free = (np.minimum(x - low, high - x) > distance).all(axis=-1)
    return _only(seen, free)


def _moderate(seen: slopes.Comparison) -> slopes.Comparison:
    x = seen.points.x if seen.points.x.ndim > 1 else seen.points.x[:, None]
    return _only(seen, (np.abs(x) <= 5).all(axis=-1))


def _only(seen: slopes.Comparison, some: Array) -> slopes.Comparison:
    truth = Derivative(seen.truth.value[some], seen.truth.error[some])
    return slopes.Comparison(seen.points[some], seen.came[some], truth, seen.wrong[some])


def _value(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """An output's own value must be the cost of its own answer, where the answer is not yet rounded."""
    points = probes.of_output
    points = points[np.abs(points.x) <= 5 if points.x.ndim == 1 else (np.abs(points.x) <= 5).all(axis=-1)]
    a, came = subject.predict(points.x), subject.ask("value", points.x, points.y)
    expected = subject.total_cost(a, points.y)
    with quiet():
        off = np.abs(came - expected) / np.maximum(np.abs(came), np.abs(expected))
        wrong = np.isfinite(expected) & (np.abs(came - expected) > 1e-7 * np.abs(expected) + 1e-12 * typical(expected))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[np.argmax(off[wrong])])
        seen = Evidence(
            a=subject.place(a[i]), y=subject.place(points.y[i]), z=subject.place(points.x[i]), came=float(came[i]),
            expected=float(expected[i]), off=float(off[i]), points=int(wrong.sum()), of=len(points),
        )  # fmt: skip
        yield Finding("value", seen, (("what", "value"),))


def _gain(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """The gain must be δ over the error."""
    points = probes.of_output
    points = points[np.abs(points.x) <= 5 if points.x.ndim == 1 else (np.abs(points.x) <= 5).all(axis=-1)]
    out, z, y = subject.output, subject.make(points.x), subject.make(points.y)
    gain, error, delta = (subject.back(subject.call(f, z, y)) for f in (out.gain, out.error, out.delta))
    if subject.vector:
        error, delta = (np.sqrt((v * v).sum(axis=-1)) for v in (error, delta))
    with quiet():
        expected = delta / error
        wrong = (
            np.isfinite(gain)
            & (np.abs(error) > 1e-3)
            & (np.abs(gain - expected) > 1e-6 * np.abs(expected) + 1e-9 * typical(expected))
        )
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        seen = Evidence(
            y=subject.place(points.y[i]), z=subject.place(points.x[i]), came=float(gain[i]), expected=float(expected[i]),
            points=int(wrong.sum()), of=len(points),
        )  # fmt: skip
        yield Finding("gain", seen)
