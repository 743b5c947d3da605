"""Formulas evaluated and written: digits and ends, what is refused, and the look that a careful author would give them."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import mpmath
import pytest

from xent.errors import InputError, UnknownNameError
from xent.texts import LANGUAGES
from xent.texts.formulas import formula, formulas

# ── evaluation ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fifty_digits_and_the_ends():
    with mpmath.workdps(50):
        assert formula("quadratic").at(a=0.1, y=0) == mpmath.mpf(0.1) ** 2 / 2  # a float is taken exactly
        assert mpmath.nstr(formula("sigmoid").at(z=1), 50) == mpmath.nstr(1 / (1 + mpmath.exp(-1)), 50)
        confident = formula("softmax_cross_entropy_3").at(z_1=700, z_2=0, z_3=0, z_y=700)
        assert abs(confident / (2 * mpmath.exp(-700)) - 1) < mpmath.mpf(10) ** -49  # log(1 + ε) = ε
    assert formula("cross_entropy").at(a=0.0, y=0.0) == 0 == formula("cross_entropy").at(a=1.0, y=1.0)
    assert formula("cross_entropy").at(a=0.0, y=1.0) == mpmath.inf
    assert formula("likelihood").at(a=0, y=0) == 1


def test_evaluation_leaves_the_shared_precision_alone():
    before = mpmath.mp.dps
    formula("sigmoid").at(z=0.5)
    assert mpmath.mp.dps == before


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"a": 1}, "give each of a, y by name"),
        ({"a": 1, "y": 1, "b": 2}, "but a, b, y came"),
        ({"a": "x", "y": 1}, "a = 'x' came"),
        ({"a": 2.0, "y": 0.0}, "no real value"),
    ],
)
def test_wrong_variables_are_refused(variables, said):
    with pytest.raises(InputError, match="cross_entropy") as caught:
        formula("cross_entropy").at(**variables)
    assert said in str(caught.value)


def test_lists_and_places_that_do_not_fit_are_refused():
    for variables in ({"z": [1.0, 2.0], "j": 3, "K": 2}, {"z": [1.0], "j": 1, "K": 2}, {"z": 1.0, "j": 1, "K": 1}):
        with pytest.raises(InputError, match="softmax"):
            formula("softmax").at(**variables)
    with pytest.raises(InputError, match="demo_slip"):
        formula("demo_slip").at(a=1)


def test_unknown_keys_are_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no formula named 'cross_entorpy': did you mean .*cross_entropy"):
        formula("cross_entorpy")
    with pytest.raises(InputError, match="'fr'"):
        formula("gain").text("fr")


# ── how they look ─────────────────────────────────────────────────────────────────────────────────────────────────────────

WRITTEN = {
    "quadratic_mean": "C = 1/(2n) Σ_(i=1)^n ‖y_i − a_i‖²",
    "quadratic": "C = (y − a)²/2",
    "sigmoid": "σ(z) = 1/(1 + e^(−z))",
    "sigmoid_slope": "σ′(z) = σ(z) (1 − σ(z)) = a(1 − a)",
    "quadratic_delta": "δ = ∂C/∂a · σ′(z) = (a − y) · a(1 − a)",
    "tanh_slope": "tanh′(z) = 1 − tanh² z = 1 − a²",
    "tanh_cross_entropy": "L = −½[(1 + y) log((1 + a)/2) + (1 − y) log((1 − a)/2)]",
    "likelihood": "P(y|x) = ŷ^y (1 − ŷ)^(1 − y)",
    "minus_log_likelihood": "−log P(y|x) = −log(ŷ^y (1 − ŷ)^(1 − y))",
    "cross_entropy": "L = −[y log ŷ + (1 − y) log(1 − ŷ)]",
    "cross_entropy_delta": "δ = ∂L/∂a · σ′(z) = (a − y)/(a(1 − a)) · a(1 − a) = a − y",
    "logistic": "L = log(1 + e^(−ys))",
    "total": "L = −Σ_(i=1)^N [y_i log ŷ_i + (1 − y_i) log(1 − ŷ_i)]",
    "softmax": "p_j = e^(z_j)/Σ_(k=1)^K e^(z_k)",
    "softmax_cross_entropy": "L = −log p_y",
    "gain": "δ = (a − y) · gain",
    "demo_slip": "∂C/∂a = 1/(1 − a) ≠ a = ∂C/∂z",
    "symmetric_cross_entropy": "L = −α log p_y + β|A|(1 − p_y)",
    "squared_hinge": "L = max(0, 1 − ys)²",
    "absolute_gain": "gain = δ/(a − y) = 1/|a − y| · a(1 − a)",
    "focal_phi": "φ(ℓ) = (1 − e^(−ℓ))^γ ℓ",
    "lq_phi_slope": "φ′(ℓ) = p_y^q",
    "surprisal_delta": "δ = φ′(ℓ) ∂ℓ/∂z = (a − y) · φ′",
    "smoothed_target_softmax": "y′_j = (1 − ε) y_j + ε/K",
    "margin_error": "error = σ(s) − (1 + y)/2 = −y/(1 + e^(ys))",
}


@pytest.mark.parametrize("key", WRITTEN)
def test_text_is_what_a_careful_author_writes(key):
    assert formula(key).text() == WRITTEN[key]


def test_latex():
    assert formula("sigmoid").latex() == r"\sigma(z) = \frac{1}{1 + e^{-z}}"
    assert formula("cross_entropy").latex() == r"L = -[y\log \hat{y} + (1 - y)\log(1 - \hat{y})]"
    assert formula("absolute").latex().strip() == r"C = \lvert a - y\rvert"
    assert formula("surprisal").latex() == r"\ell  = -\log p_{y}"
    assert formula("gain").latex("zh") == r"\delta = (a - y) \cdot \text{增益}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", formulas())
def test_every_formula_prints_three_ways(key, language):
    f = formula(key)
    assert f.text(language).count("=") >= 1
    assert f.latex(language).count("{") == f.latex(language).count("}")
    root = ElementTree.fromstring(f.mathml(language))
    assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
    assert root.get("display") == "block"
    wanted = {"mfrac": 2, "msup": 2, "msub": 2, "munderover": 3, "mover": 2}
    assert all(len(e) == wanted[tag] for e in root.iter() if (tag := e.tag.rpartition("}")[2]) in wanted)


def test_mathml_holds_both_sides():
    root = ElementTree.fromstring(formula("sigmoid").mathml())
    assert "".join(root.itertext()) == "σ(z)=11+e−z"


def test_reading_texts_imports_no_sympy():
    code = "import sys, xent.texts, xent.texts.formulas; sys.exit('sympy' in sys.modules or 'mpmath' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
