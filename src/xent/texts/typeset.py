"""Boxes written down as text, LaTeX and MathML, one section each. Works for `formulas`; `boxes` lays them out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from xml.sax.saxutils import escape

from xent.texts.boxes import HALF, Box, Call, Fence, Fraction, Index, Letter, Number, Operator, Power, Row, Space, Total

# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def text(x: Box) -> str:
    """A box as plain text, on one line.

    >>> text(Fraction(Letter("a"), Row((Number("2"), Letter("n")))))
    'a/(2n)'
    """
    match x:
        case Letter(it) | Number(it):
            return it
        case Operator(sign, tight):
            return sign if tight else f"{sign} " if sign == "," else f" {sign} "
        case Space():
            return " "
        case Row(boxes):
            return "".join(map(text, boxes))
        case Fence(left, inside, right):
            return f"{left}{text(inside)}{right}"
        case Call(name, argument, bare):
            return f"{text(name)} {text(argument)}" if bare else f"{text(name)}({text(argument)})"
        case Fraction() if x == HALF:
            return "½"
        case Fraction(top, bottom):
            return f"{_tight(top)}/{_tight(bottom)}"
        case Power(base, Number("2")):
            return f"{text(base)}²"
        case Power(base, exponent):
            return f"{text(base)}^{_tight(exponent, indexed=True)}"
        case Index(base, index):
            return f"{text(base)}_{_tight(index)}"
        case Total(first, last, term):
            return f"Σ_({text(first)})^{_tight(last)} {text(term)}"
    raise TypeError(x)


def _tight(x: Box, *, indexed: bool = False) -> str:
    """A box as text, in parentheses where it would run into its surroundings; with `indexed` an index would, too."""
    whole = isinstance(x, (Letter, Number, Power, Fence, Call, Total)) or (isinstance(x, Index) and not indexed)
    differential = isinstance(x, Row) and x.boxes[0] == Letter("∂")
    return text(x) if whole or differential else f"({text(x)})"


# ── LaTeX ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

SIGNS = {"−": "-", "·": r"\cdot", "≠": r"\neq", "|": r" \mid "}
BARS = {"|": (r"\lvert ", r"\rvert "), "‖": (r"\lVert ", r"\rVert ")}


def latex(x: Box) -> str:
    r"""A box as LaTeX, for math mode.

    >>> print(latex(Power(Letter("ŷ"), Letter("y"))))
    \hat{y}^{y}
    """
    match x:
        case Letter(name):
            return _latex_letter(name)
        case Number(digits):
            return digits
        case Operator(sign, tight):
            shown = SIGNS.get(sign, sign)
            return shown if tight else f"{shown} " if sign == "," else f" {shown} "
        case Space():
            return r"\, "
        case Row(boxes):
            return "".join(map(latex, _without_extra_spaces(boxes)))
        case Fence(left, inside, right):
            return _latex_fence(left, inside, right)
        case Call(name, argument, bare):
            return f"{latex(name)} {latex(argument)}" if bare else latex(name) + _latex_fence("(", argument, ")")
        case Fraction(top, bottom):
            return rf"\frac{{{latex(top)}}}{{{latex(bottom)}}}"
        case Power(base, exponent):
            return f"{latex(base)}^{{{latex(exponent)}}}"
        case Index(base, index):
            return f"{latex(base)}_{{{latex(index)}}}"
        case Total(first, last, term):
            return rf"\sum_{{{latex(first)}}}^{{{latex(last)}}} {latex(term)}"
    raise TypeError(x)


def _latex_letter(name: str) -> str:
    if name.endswith("′"):
        return f"{_latex_letter(name[:-1])}'"
    if name in ("log", "max", "tanh"):
        return rf"\{name}"
    if name in ("∂", "ℓ"):
        return {"∂": r"\partial ", "ℓ": r"\ell "}[name]
    if len(name) > 1:
        return rf"\mathrm{{{name}}}" if name.isascii() else rf"\text{{{name}}}"
    if letter := _under_hat(name):
        return rf"\hat{{{letter}}}"
    return name if name.isascii() else rf"\{unicodedata.name(name).split()[-1].lower()}"


def _latex_fence(left: str, inside: Box, right: str) -> str:
    opening, closing = BARS.get(left, (left, right))
    sized = (rf"\left{opening}", rf"\right{closing}") if _is_tall(inside) else (opening, closing)
    return f"{sized[0]}{latex(inside)}{sized[1]}"


def _without_extra_spaces(boxes: tuple[Box, ...]) -> Iterable[Box]:
    """Σ and functions named by a word bring a space of their own."""
    for x, following in zip(boxes, (*boxes[1:], Space()), strict=True):
        brings_its_own = isinstance(following, Total) or (isinstance(following, Call) and following.name == Letter("log"))
        yield from () if isinstance(x, Space) and brings_its_own else (x,)


def _is_tall(x: Box) -> bool:
    match x:
        case Fraction() | Total():
            return True
        case Row(boxes):
            return any(map(_is_tall, boxes))
        case Fence(_, inside) | Call(_, inside) | Power(inside):
            return _is_tall(inside)
    return False


# ── MathML ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mathml(x: Box) -> str:
    """A box as a complete <math> element.

    >>> mathml(Power(Letter("a"), Number("2")))
    '<math display="block" xmlns="http://www.w3.org/1998/Math/MathML"><msup><mi>a</mi><mn>2</mn></msup></math>'
    """
    return f'<math display="block" xmlns="http://www.w3.org/1998/Math/MathML">{_mathml(x, bare=True)}</math>'


def _mathml(x: Box, *, bare: bool = False) -> str:
    """One element for a box; `bare` leaves out the <mrow> where several may stand."""
    match x:
        case Letter(name):
            return _mathml_letter(name)
        case Number(digits):
            return f"<mn>{digits}</mn>"
        case Operator("|"):
            return '<mo stretchy="false" lspace="0.1em" rspace="0.1em">|</mo>'
        case Operator(sign, tight):
            return f'<mo lspace="0" rspace="0">{sign}</mo>' if tight else f"<mo>{sign}</mo>"
        case Space():
            return '<mspace width="0.17em"/>'
        case Row(boxes):
            return _row((_mathml(part) for part in boxes), bare)
        case Fence(left, inside, right):
            return _row((_fence(left, "prefix", inside), _mathml(inside), _fence(right, "postfix", inside)), bare)
        case Call(name, argument, bare=spared):
            opened = (Space(), argument) if spared else (Fence("(", argument, ")"),)
            return _row((_mathml(name), *map(_mathml, opened)), bare)
        case Fraction(top, bottom):
            return f"<mfrac>{_mathml(top)}{_mathml(bottom)}</mfrac>"
        case Power(Fence(left, inside, right), exponent):  # on the closing sign: a hat inside would lift it too far
            closed = f"<msup>{_fence(right, 'postfix', inside)}{_mathml(exponent)}</msup>"
            return _row((_fence(left, "prefix", inside), _mathml(inside), closed), bare)
        case Power(base, exponent):
            return f"<msup>{_mathml(base)}{_mathml(exponent)}</msup>"
        case Index(base, index):
            return f"<msub>{_mathml(base)}{_mathml(index)}</msub>"
        case Total(first, last, term):
            sign = f"<munderover><mo>∑</mo>{_mathml(first)}{_mathml(last)}</munderover>"
            return _row((sign, _mathml(term)), bare)
    raise TypeError(x)


def _row(elements: Iterable[str], bare: bool) -> str:
    row = "".join(elements)
    return row if bare else f"<mrow>{row}</mrow>"


def _fence(sign: str, form: str, inside: Box) -> str:
    stretchy = "true" if _is_tall(inside) else "false"
    return f'<mo form="{form}" fence="true" stretchy="{stretchy}">{sign}</mo>'


def _mathml_letter(name: str) -> str:
    if name.endswith("′"):
        return f'<mrow>{_mathml_letter(name[:-1])}<mo lspace="0" rspace="0">′</mo></mrow>'
    if letter := _under_hat(name):
        return f'<mover accent="true"><mi>{letter}</mi><mo stretchy="false">^</mo></mover>'
    return f"<mi>{escape(name)}</mi>"


def _under_hat(name: str) -> str:
    """The letter that carries the hat of ŷ; nothing where there is none."""
    letters = unicodedata.normalize("NFD", name)
    return letters[0] if len(name) == 1 and len(letters) == 2 else ""
