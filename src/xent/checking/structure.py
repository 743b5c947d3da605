"""The form of what comes back: arrays of the right kind, shape and dtype, nothing changed, no sample mixed with another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import array_api_compat as compat
import numpy as np

from xent.arrays import Array, is_float, library
from xent.checking.findings import Evidence, Finding
from xent.checking.probes import CLASSES, Probes
from xent.checking.subject import Subject, Trouble

SIZE = 6


def look(subject: Subject, probes: Probes, what: str) -> Iterator[Finding]:
    """Everything that is wrong with the form of one function's results; Trouble where it cannot be called or read at all."""
    x, y = samples(probes, what)
    given, target = subject.make(x), subject.make(y)
    first = subject.raw(what, given, target)
    yield from _changed(subject, what, (("x", given, x), ("y", target, y)))
    _insist_on_array(what, first, given)
    _insist_on_shape(subject, what, first, x)
    yield from _dtypes(subject, what, x, y)
    yield from _digits(subject, probes, what)
    whole = subject.back(first)
    if not np.array_equal(subject.ask(what, x, y), whole, equal_nan=True):
        yield Finding("random", words=(("what", what),))
    elif not all(
        np.allclose(subject.ask(what, x[part], y[part]), whole[part], rtol=1e-9, atol=1e-300, equal_nan=True)
        for part in (slice(None, None, -1), slice(0, SIZE // 2))
    ):
        yield Finding("mixes", words=(("what", what),))
    yield from _other_shapes(subject, what, x, y)


def samples(probes: Probes, what: str) -> tuple[Array, Array]:
    """A few harmless samples: answers for cost and slope, weighted inputs for value and delta."""
    draw = np.random.default_rng(3)
    if probes.activation.vector:
        z, y = draw.normal(size=(SIZE, CLASSES)), np.concatenate([probes.distributions()[0]])[:SIZE]
    else:
        z, (targets, _) = draw.normal(size=SIZE), probes.targets
        y = np.resize(targets, SIZE)
    if what in ("value", "delta"):
        return z, y
    if probes.activation.vector:
        return probes.rows()[-SIZE:], y
    inside = probes.answers[np.abs(probes.answers) < 4]
    return inside[len(inside) // 2 - SIZE // 2 :][:SIZE], y


def _changed(subject: Subject, what: str, arrays: tuple[tuple[str, Any, Array], ...]) -> Iterator[Finding]:
    for name, given, before in arrays:
        after = subject.back(given)
        if not np.array_equal(after, before, equal_nan=True):
            name = name if name == "y" else _argument(what)
            came, expected = _first_difference(after, before)
            yield Finding("changes", Evidence(came=came, expected=expected), (("what", what), ("argument", name)))


def _argument(what: str) -> str:
    return "a" if what in ("cost", "slope") else "z"


def _first_difference(after: Array, before: Array) -> tuple[float, float]:
    place = np.flatnonzero(after != before)[0]
    return float(after.ravel()[place]), float(before.ravel()[place])


def _insist_on_array(what: str, result: Any, given: Any) -> None:
    words = (("what", what), ("library", library(given)))
    if not compat.is_array_api_obj(result) and np.ndim(result) == 0 and isinstance(result, (int, float)):
        raise Trouble(Finding("reduces", Evidence(came=f"{result!r}"), (*words, ("how", "one number"), ("shape", _size(given)))))
    if not compat.is_array_api_obj(result) or library(result) != library(given):
        raise Trouble(Finding("type", Evidence(came=type(result).__name__), words))


def _size(x: Any) -> str:
    return str(tuple(np.shape(x)))


def _insist_on_shape(subject: Subject, what: str, result: Any, x: Array) -> None:
    shape = tuple(result.shape)
    if shape in allowed(subject, what, x.shape):
        return
    words = (("what", what), ("shape", _size(x)))
    if shape in ((), (1,)):
        raise Trouble(Finding("reduces", Evidence(came=str(shape)), (*words, ("how", "one number"))))
    expected = str(allowed(subject, what, x.shape)[0])
    raise Trouble(Finding("shape", Evidence(came=str(shape), expected=expected), words))


def allowed(subject: Subject, what: str, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes that a result may have."""
    if not subject.vector or what in ("slope", "delta"):
        return [shape]
    return [shape[:-1]] if what == "value" else [shape, shape[:-1]]


def _dtypes(subject: Subject, what: str, x: Array, y: Array) -> Iterator[Finding]:
    for name in ("float64", "float32"):
        dtype = np.dtype(name)
        result = subject.raw(what, subject.make(x.astype(dtype)), subject.make(y.astype(dtype)))
        _insist_on_array(what, result, subject.make(x))
        came = str(result.dtype).rpartition(".")[2]
        if came != name:
            rule = "dtype" if is_float(result) else "integers"
            yield Finding(rule, Evidence(came=came, expected=name), (("what", what), ("dtype", name)))
            return


def _digits(subject: Subject, probes: Probes, what: str) -> Iterator[Finding]:
    """float64 that holds only numbers of float32: something inside is computed in float32, or less."""
    draw = np.random.default_rng(4)
    _, y = samples(probes, what)
    y = np.tile(y, (8, *(1 for _ in y.shape[1:])))
    if subject.vector:
        x = draw.dirichlet(np.full(CLASSES, 3.0), len(y))
    else:
        low, high = max(probes.domain.low, min(probes.domain.high, 0) - 4), min(probes.domain.high, max(probes.domain.low, 0) + 4)
        x = low + (0.2 + 0.6 * draw.random(len(y))) * (high - low)
    if what in ("value", "delta"):
        x = draw.normal(size=x.shape)
    result = subject.ask(what, x, y)
    if np.unique(result).size > result.size / 2 and np.array_equal(result, result.astype(np.float32)):
        yield Finding("digits", words=(("what", what),))


def _other_shapes(subject: Subject, what: str, x: Array, y: Array) -> Iterator[Finding]:
    """One sample without a batch, a batch of two axes, no samples at all: the same numbers in another shape."""
    expected = subject.ask(what, x, y)
    tail, tail_of_result = x.shape[1:], expected.shape[1:]
    for front in ((), (2, 3), (0,)):
        n = int(np.prod(front))
        a, t = (v[:n].reshape(front + tail) for v in (x, y))
        try:
            result = subject.ask(what, a, t)
        except Trouble as trouble:
            yield Finding("shapes", trouble.finding.evidence, (("what", what), ("shape", str(front + tail))))
            return
        if result.shape != front + tail_of_result:
            seen = Evidence(came=str(result.shape), expected=str(front + tail_of_result))
            yield Finding("shapes", seen, (("what", what), ("shape", str(front + tail))))
            return


def broadcasts(subject: Subject, probes: Probes) -> Iterator[Finding]:
    """An output must refuse targets that do not fit, in place of broadcasting them."""
    z, y = samples(probes, "value")
    for what in ("value", "delta"):
        try:
            subject.raw(what, subject.make(z), subject.make(y[:1]))
        except Trouble:
            continue
        yield Finding("broadcasts", words=(("what", what), ("shape", _size(z)), ("other", _size(y[:1]))))
