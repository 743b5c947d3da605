"""Layout: a sympy expression as boxes (a fraction, a power, a fenced row), its terms in the order in which they were written.

Works for `formulas`; `typeset` writes the boxes down.

Boxes rather than sympy's printers: those sort the terms, write −a + y for y − a, and each has rules of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sympy

# ── boxes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Box:
    """A piece of a formula."""


@dataclass(frozen=True)
class Letter(Box):
    """A variable or a word; a hat, a prime or an index of its own belongs to its text: ŷ, σ′, p_y."""

    text: str


@dataclass(frozen=True)
class Number(Box):
    """A whole number."""

    text: str


@dataclass(frozen=True)
class Operator(Box):
    """A sign between two boxes; a tight one keeps no space around it."""

    sign: str
    tight: bool = False


@dataclass(frozen=True)
class Space(Box):
    """A thin space."""


@dataclass(frozen=True)
class Row(Box):
    """Boxes side by side."""

    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Fence(Box):
    """A box between two delimiters."""

    left: str
    inside: Box
    right: str


@dataclass(frozen=True)
class Call(Box):
    """A function and its argument, in parentheses unless it stands `bare`."""

    name: Box
    argument: Box
    bare: bool = False


@dataclass(frozen=True)
class Fraction(Box):
    """One box over another."""

    top: Box
    bottom: Box


@dataclass(frozen=True)
class Power(Box):
    """A base with an exponent."""

    base: Box
    exponent: Box


@dataclass(frozen=True)
class Index(Box):
    """A base with an index."""

    base: Box
    index: Box


@dataclass(frozen=True)
class Total(Box):
    """The sum sign over what it adds up."""

    first: Box
    last: Box
    term: Box


HALF = Fraction(Number("1"), Number("2"))

# ── from expressions to boxes ─────────────────────────────────────────────────────────────────────────────────────────────

Names = Mapping[str, str]


def relation(equal: Sequence[Any], unlike: Sequence[Any], names: Names) -> Box:
    """The box of a chain: first = second = … ≠ other = …."""
    chain: list[Box] = []
    for sides, sign in ((equal, ""), (unlike, "≠")):
        for i, side in enumerate(sides):
            chain += [Operator("=" if i else sign)] if i or sign else []
            chain.append(box(side, names))
    return Row(tuple(chain))


def box(x: Any, names: Names) -> Box:
    """The box of an expression."""
    match x:
        case sympy.Integer():
            return Number(str(x)) if x >= 0 else Row((Operator("−", tight=True), Number(str(-x))))
        case sympy.Symbol():
            return letter(names.get(x.name, x.name))
        case sympy.Indexed():
            return Index(letter(names.get(str(x.base), str(x.base))), box(x.indices[0], names))
        case sympy.Add():
            return _sum(x, names)
        case sympy.Mul():
            return _product(list(x.args), names)
        case sympy.Pow():
            return _power(x, names)
        case sympy.Sum():
            term, (index, first, last) = x.args
            start = Row((box(index, names), Operator("=", tight=True), box(first, names)))
            return Total(start, box(last, names), _factor(term, names))
    return _call(x, names)


def letter(name: str) -> Box:
    """The box of a printed name: p_y has an index.

    >>> letter("p_y")
    Index(base=Letter(text='p'), index=Letter(text='y'))
    """
    base, _, index = name.partition("_")
    return Index(Letter(base), Number(index) if index.isdigit() else Letter(index)) if index else Letter(base)


def _sum(x: Any, names: Names) -> Box:
    boxes = [box(x.args[0], names)]
    for term in x.args[1:]:
        negative, rest = _without_minus(term)
        boxes += [Operator("−" if negative else "+"), _product(rest, names)]
    return Row(tuple(boxes))


def _product(factors: list[Any], names: Names) -> Box:
    """Factors side by side; each division gathers what stands before it into a fraction."""
    if factors[0] == -1 and len(factors) > 1:
        rest = factors[1:]
        return Row((Operator("−", tight=True), _factor(rest[0], names) if len(rest) == 1 else _product(rest, names)))
    gathered: list[Box] = []
    top: list[Any] = []
    for factor in factors:
        if isinstance(factor, sympy.Pow) and factor.exp == -1:
            gathered.append(Fraction(_product(top, names) if top else Number("1"), box(factor.base, names)))
            top = []
        else:
            top.append(factor)
    alone = not gathered and len(top) == 1
    return _juxtaposed([*gathered, *(box(f, names) if alone else _factor(f, names) for f in top)])


def _juxtaposed(boxes: list[Box]) -> Box:
    """Boxes that multiply: close together where that is clear, else with a thin space or a dot between."""
    row = boxes[:1]
    for left, right in pairwise(boxes):
        row += [*_between(left, right), right]
    return row[0] if len(row) == 1 else Row(tuple(row))


def _between(left: Box, right: Box) -> list[Box]:
    close = left == HALF or isinstance(left, (Letter, Number)) or (isinstance(left, Fence) and left.left == "|")
    if close and isinstance(right, (Letter, Power, Fence, Index)):
        return []
    if (isinstance(left, Fraction) and not isinstance(right, Total)) or (isinstance(left, Fence) and isinstance(right, Letter)):
        return [Operator("·")]
    return [Space()]


def _power(x: Any, names: Names) -> Box:
    base = x.base
    if isinstance(base, sympy.tanh):
        return _applied(Power(Letter("tanh"), box(x.exp, names)), box(base.args[0], names))
    if x.exp == -1:
        return Fraction(Number("1"), box(base, names))
    return Power(_factor(base, names), box(x.exp, names))


def _call(x: Any, names: Names) -> Box:
    name, arguments = type(x).__name__, [box(argument, names) for argument in x.args]
    match name, arguments:
        case "exp", [exponent]:
            return Power(Letter("e"), exponent)
        case "Abs", [inside]:
            return Fence("|", inside, "|")
        case "norm", [inside]:
            return Fence("‖", inside, "‖")
        case "given", [event, condition]:
            return Row((event, Operator("|", tight=True), condition))
        case "d", [function, variable]:
            return Fraction(Row((Letter("∂"), function)), Row((Letter("∂"), variable)))
    several = [part for argument in arguments for part in (Operator(","), argument)][1:]
    return _applied(letter(names.get(name, name)), several[0] if len(several) == 1 else Row(tuple(several)))


def _applied(name: Box, argument: Box) -> Box:
    """Parentheses unless they can be spared: log ŷ, log P(y|x) and tanh² z, but log(1 − ŷ) and σ(z)."""
    spared = name in (Letter("log"), Power(Letter("tanh"), Number("2")))
    return Call(name, argument, bare=spared and (_is_word(argument) or (isinstance(argument, Call) and not argument.bare)))


def _factor(x: Any, names: Names) -> Box:
    """The box of an expression that is multiplied or raised: a sum in parentheses, brackets around parentheses."""
    inside = box(x, names)
    if not isinstance(x, (sympy.Add, sympy.Mul)):
        return inside
    return Fence("[", inside, "]") if _has_parentheses(inside) else Fence("(", inside, ")")


def _without_minus(term: Any) -> tuple[bool, list[Any]]:
    factors = list(term.args) if isinstance(term, sympy.Mul) else [term]
    return (True, factors[1:]) if factors[0] == -1 and len(factors) > 1 else (False, factors)


def _has_parentheses(x: Box) -> bool:
    match x:
        case Fence(left, inside):
            return left in "([" or _has_parentheses(inside)
        case Call(_, argument, bare):
            return not bare and not _is_word(argument)
        case Row(boxes):
            return any(map(_has_parentheses, boxes))
        case Power(base, _):
            return _has_parentheses(base)
    return False


def _is_word(x: Box) -> bool:
    return isinstance(x, (Letter, Number, Index))
