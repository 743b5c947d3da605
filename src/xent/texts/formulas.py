"""The formulas, each stored once in `formulas.toml`: evaluated in 50 digits, and printed as text, LaTeX and MathML.

On the ground floor beside the texts; `boxes` and `typeset` say how an expression looks. What is evaluated and what is shown
is one and the same sympy expression, built exactly as it is written: sympy would put its terms in an order of its own. sympy
is imported where it is used, so that reading texts stays cheap.

>>> f = formula("cross_entropy")
>>> f.text()
'L = −[y log ŷ + (1 − y) log(1 − ŷ)]'
>>> import mpmath
>>> mpmath.nstr(f.at(a=0.5, y=1), 45)
'0.693147180559945309417232121458176568075500134'
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from xent.errors import InputError, UnknownNameError

DIGITS = 50
WORKING_DIGITS = 400  # terms that differ by a factor of e^700, as in log(e^z₁ + e^z₂) − z₁, still leave 50


@dataclass(frozen=True)
class Formula:
    """left = steps = … = right ≠ unlike = …, of sympy expressions; `right` is what is evaluated."""

    key: str
    left: Any
    steps: tuple[Any, ...]
    right: Any
    unlike: tuple[Any, ...]
    shown: Mapping[str, str | Mapping[str, str]]

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that `at` wants; one that stands with an index wants a list, counted from 1.

        >>> formula("softmax").variables
        ('K', 'j', 'z')
        """
        names = {str(getattr(symbol, "base", symbol)) for symbol in self.right.free_symbols}
        return tuple(sorted(names))

    def at(self, **variables: Any) -> Any:
        """The right-hand side at given values, to 50 digits; floats are taken exactly, and 0·log 0 is 0."""
        if set(variables) != set(self.variables):
            wanted, came = ", ".join(self.variables), ", ".join(sorted(variables)) or "nothing"
            raise InputError(f"the formula {self.key} is evaluated at {wanted}, but {came} came: give each of {wanted} by name.")
        context = _context()
        given = {name: _number(self.key, name, value, context) for name, value in variables.items()}
        try:
            value = _value(self.right, given, context)
        except (ZeroDivisionError, IndexError, TypeError) as error:
            raise InputError(f"the formula {self.key} has no value at {variables}: {error}.") from error
        if isinstance(value, context.mpc):
            raise InputError(f"the formula {self.key} has no real value at {variables}.")
        return _rounded(value)

    def lettered(self, **shown: str) -> Formula:
        """The same formula in other letters.

        >>> print(formula("cross_entropy").lettered(a="a").text())
        L = −[y log a + (1 − y) log(1 − a)]
        """
        return replace(self, shown={**self.shown, **shown})

    def also(self, name: str) -> Formula:
        """The same formula with one more name in front of it.

        >>> print(formula("poly_phi_slope").also("gain").text())
        gain = φ′(ℓ) = 1 + εp_y
        """
        return replace(self, left=expression(name), steps=(self.left, *self.steps))

    def text(self, language: str = "en") -> str:
        """The formula as plain text."""
        from xent.texts import typeset

        return typeset.text(self._box(language))

    def latex(self, language: str = "en") -> str:
        """The formula as LaTeX, for math mode."""
        from xent.texts import typeset

        return typeset.latex(self._box(language))

    def mathml(self, language: str = "en") -> str:
        """The formula as a <math> element, displayed on a line of its own."""
        from xent.texts import typeset

        return typeset.mathml(self._box(language))

    def _box(self, language: str) -> Any:
        from xent.texts import LANGUAGES, boxes

        if language not in LANGUAGES:
            raise InputError(f"formulas are written in {' and '.join(LANGUAGES)}, but the language {language!r} was asked for.")
        names = {name: shown if isinstance(shown, str) else shown[language] for name, shown in self.shown.items()}
        return boxes.relation((self.left, *self.steps, self.right), self.unlike, names)


def formulas() -> tuple[str, ...]:
    """The keys of all formulas."""
    return tuple(_stored()["formula"])


@cache
def formula(key: str) -> Formula:
    r"""The formula with a key.

    >>> print(formula("gain").latex())
    \delta = (a - y) \cdot \mathrm{gain}
    """
    stored = _stored()
    if key not in stored["formula"]:
        raise UnknownNameError("formula", key, stored["formula"])
    entry = stored["formula"][key]
    several = [tuple(map(expression, entry.get(part, ()))) for part in ("steps", "unlike")]
    shown = stored["names"] | entry.get("shown", {})
    return Formula(key, expression(entry["left"]), several[0], expression(entry["right"]), several[1], shown)


@cache
def _stored() -> dict[str, Any]:
    return tomllib.loads((files("xent.texts") / "formulas.toml").read_text(encoding="utf-8"))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def expression(text: str) -> Any:
    """The sympy expression of a text, with its terms and factors left as they are written."""
    return _read(ast.parse(text, mode="eval").body)


def _read(node: ast.expr) -> Any:
    import sympy

    match node:
        case ast.Constant(value=int(number)):
            return sympy.Integer(number)
        case ast.Name(id=name):
            return sympy.Symbol(name)
        case ast.Subscript(value=ast.Name(id=name), slice=index):
            return sympy.Indexed(sympy.IndexedBase(name), _read(index))
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return _made(sympy.Mul, sympy.S.NegativeOne, _read(x))
        case ast.BinOp(left=x, op=operator, right=y):
            return _combined(operator, _read(x), _read(y))
        case ast.Call(func=ast.Name(id="total"), args=[term, index, last]):
            return sympy.Sum(_read(term), (_read(index), 1, _read(last)))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            known = {"exp": sympy.exp, "log": sympy.log, "tanh": sympy.tanh, "abs": sympy.Abs}
            return known.get(name, sympy.Function(name))(*map(_read, arguments), evaluate=False)
    raise InputError(f"cannot read {ast.unparse(node)!r} in a formula.")


def _combined(operator: ast.operator, x: Any, y: Any) -> Any:
    import sympy

    match operator:
        case ast.Add():
            return _made(sympy.Add, x, y)
        case ast.Sub():
            return _made(sympy.Add, x, _made(sympy.Mul, sympy.S.NegativeOne, y))
        case ast.Mult():
            return _made(sympy.Mul, x, y)
        case ast.Div():
            return _made(sympy.Mul, x, sympy.Pow(y, sympy.S.NegativeOne, evaluate=False))
        case ast.Pow():
            return sympy.Pow(x, y, evaluate=False)
    raise InputError(f"a formula has +, −, *, / and **, but {type(operator).__name__} came.")


def _made(kind: Any, *parts: Any) -> Any:
    """A sum or product of x and y as one flat row: (p + q) + r is the sum of p, q and r."""
    first = parts[0].args if isinstance(parts[0], kind) else parts[:1]
    return kind(*first, *parts[1:], evaluate=False)


# ── evaluating ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _context() -> Any:
    """An mpmath context of our own: the shared one's precision is the caller's business."""
    import mpmath

    context = mpmath.MPContext()
    context.dps = WORKING_DIGITS
    return context


def _rounded(value: Any) -> Any:
    import mpmath
    from mpmath import libmp

    return mpmath.mp.make_mpf(libmp.mpf_pos(value._mpf_, libmp.dps_to_prec(DIGITS), "n"))


def _number(key: str, name: str, value: Any, context: Any) -> Any:
    """The exact value of a number or of each of a list."""
    if hasattr(value, "_mpf_"):
        return context.make_mpf(value._mpf_)
    if getattr(value, "shape", None) or isinstance(value, (list, tuple)):
        return [_number(key, name, each, context) for each in value]
    try:
        return context.mpf(value if isinstance(value, int) else float(value))
    except (TypeError, ValueError):
        raise InputError(f"the formula {key} is evaluated at real numbers, but {name} = {value!r} came.") from None


def _value(x: Any, given: Mapping[str, Any], context: Any) -> Any:
    """The value of an expression: one case for each kind of node that `_read` makes."""
    import sympy

    match x:
        case sympy.Integer():
            return context.mpf(int(x))
        case sympy.Symbol():
            return given[x.name]
        case sympy.Indexed():
            return _element(x, given, context)
        case sympy.Sum():
            term, (index, first, last) = x.args
            places = range(int(first), int(_value(last, given, context)) + 1)
            return context.fsum(_value(term, {**given, index.name: context.mpf(place)}, context) for place in places)
    parts = [_value(part, given, context) for part in x.args]
    match x:
        case sympy.Add():
            return context.fsum(parts)
        case sympy.Mul():  # a factor 0 first: 0·log 0 = 0
            return context.zero if any(part == 0 for part in parts) else context.fprod(parts)
        case sympy.Pow():
            return parts[0] ** parts[1]
    functions = {"exp": context.exp, "log": context.log, "tanh": context.tanh, "Abs": abs, "norm": abs, "max": max}
    return functions[type(x).__name__](*parts)


def _element(x: Any, given: Mapping[str, Any], context: Any) -> Any:
    row, place = given[str(x.base)], int(_value(x.indices[0], given, context))
    if not 1 <= place <= len(row):
        raise IndexError(f"{x.base} has {len(row)} elements, and element {place} is asked for")
    return row[place - 1]
