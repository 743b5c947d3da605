"""The formulas against the code that computes them, at drawn points, and against what a careful author would write."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent.activations import Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from xent.errors import InputError, UnknownNameError
from xent.texts import LANGUAGES
from xent.texts.formulas import formula, formulas

scores = st.floats(-20, 20).filter(lambda z: z == 0 or abs(z) > 1e-3)
rows = st.lists(st.floats(-20, 20), min_size=2, max_size=6)
labels = st.sampled_from([0.0, 1.0])
signs = st.sampled_from([-1.0, 1.0])


def drawn(**strategies):
    """`given` without a clock: the first call imports sympy."""
    return lambda test: settings(deadline=None)(given(**strategies)(test))


def close(code, exact, scale=None):
    """Whether the code's number is the formula's to 1e-13 of it, or of the largest term that it is made of."""
    exact = float(exact)
    return abs(float(code) - exact) <= 1e-13 * max(abs(exact), abs(scale or 0.0))


def answer(z):
    return formula("sigmoid").at(z=z)


def truth_probability(z, y):
    """p_y, in 50 digits."""
    return answer(z if y == 1 else -z)


# ── against the code ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "activation"),
    [("sigmoid", Sigmoid()), ("tanh", Tanh()), ("identity", Identity()), ("softplus", Softplus()), ("relu", ReLU())],
)
@drawn(z=scores)
def test_activations(key, activation, z):
    assert close(activation(np.asarray(z)), formula(key).at(z=z))


@drawn(z=scores)
def test_slopes(z):
    one = np.asarray(1.0)
    a = float(Sigmoid()(np.asarray(z)))
    assert close(Sigmoid().pullback(np.asarray(a), one), formula("sigmoid_slope").at(a=a))
    a = float(Tanh()(np.asarray(z)))
    assert close(Tanh().pullback(np.asarray(a), one), formula("tanh_slope").at(a=a))


@pytest.mark.parametrize("key", ["quadratic", "absolute"])
@drawn(a=scores, y=scores)
def test_errors_of_a_linear_output(key, a, y):
    assert close(xent.output(f"{key}@identity").value(a, y), formula(key).at(a=a, y=y))


@drawn(a=scores, y=labels, k=st.floats(0.5, 20), m=st.floats(0.5, 40))
def test_rescaled_quadratic(a, y, k, m):
    cost = xent.output(f"rescaled-quadratic(k={k!r}, M={m!r})@identity")
    assert close(cost.value(a, y), formula("rescaled_quadratic").at(a=a, y=y, k=k, M=m), scale=1e-3)


@drawn(z=scores, y=st.floats(0, 1))
def test_deltas(z, y):
    a = answer(z)
    for key in ("quadratic", "cross-entropy"):
        exact = formula(f"{key.replace('-', '_')}_delta").at(a=a, y=y)
        assert close(xent.output(f"{key}@sigmoid").delta(z, y), exact, scale=float(formula("quadratic_delta").at(a=a, y=0)))


@drawn(z=scores, y=st.floats(0, 1))
def test_cross_entropy_and_the_likelihood(z, y):
    a = answer(z)
    computed = xent.output("cross-entropy@sigmoid").value(z, y)
    assert close(computed, formula("cross_entropy").at(a=a, y=y))
    assert close(computed, formula("minus_log_likelihood").at(a=a, y=y))
    assert close(np.exp(-computed), formula("likelihood").at(a=a, y=y), scale=float(np.exp(-computed)) * (1 + float(computed)))


@drawn(z=scores, y=st.floats(-1, 1))
def test_tanh_cross_entropy(z, y):
    assert close(xent.output("cross-entropy@tanh").value(z, y), formula("tanh_cross_entropy").at(a=formula("tanh").at(z=z), y=y))


@pytest.mark.parametrize("key", ["logistic", "hinge", "squared_hinge", "exponential"])
@drawn(s=scores, y=signs)
def test_margins(key, s, y):
    assert close(xent.output(f"{key.replace('_', '-')}@identity").value(s, y), formula(key).at(s=s, y=y), scale=1e-12)


@drawn(z=scores, y=labels, parameter=st.floats(0.05, 1), alpha=st.floats(0, 2), beta=st.floats(0, 2))
def test_costs_of_the_true_class(z, y, parameter, alpha, beta):
    p = truth_probability(z, y)
    costs = {
        f"focal(gamma={4 * parameter!r})": formula("focal").at(p=p, gamma=4 * parameter),
        f"poly(epsilon={parameter!r})": formula("poly").at(p=p, epsilon=parameter),
        f"lq(q={parameter!r})": formula("lq").at(p=p, q=parameter),
        f"symmetric-cross-entropy(alpha={alpha!r}, beta={beta!r}, A=-4)": formula("symmetric_cross_entropy").at(
            p=p, alpha=alpha, beta=beta, A=-4
        ),
        "cross-entropy": formula("softmax_cross_entropy").at(p=p),
    }
    for name, exact in costs.items():
        assert close(xent.output(f"{name}@sigmoid").value(z, y), exact), name


@drawn(z=rows)
def test_softmax(z):
    computed = Softmax()(np.asarray(z))
    for j in range(len(z)):
        assert close(computed[j], formula("softmax").at(z=z, j=j + 1, K=len(z)))


@drawn(z=st.lists(st.floats(-20, 20), min_size=3, max_size=3), k=st.integers(0, 2))
def test_three_classes(z, k):
    exact = formula("softmax_cross_entropy_3").at(z_1=z[0], z_2=z[1], z_3=z[2], z_y=z[k])
    assert close(xent.output("cross-entropy@softmax").value(np.asarray(z), k), exact)


@drawn(z=rows)
def test_many_samples(z):
    y = [float(i % 2) for i in range(len(z))]
    total = np.sum(xent.output("cross-entropy@sigmoid").value(np.asarray(z), np.asarray(y)))
    assert close(total, formula("total").at(a=[answer(s) for s in z], y=y, N=len(z)))
    mean = np.mean(xent.output("quadratic@identity").value(np.asarray(z), np.asarray(y)))
    assert close(mean, formula("quadratic_mean").at(a=z, y=np.asarray(y), n=len(z)))


@drawn(z=scores, y=labels)
def test_gain_and_error_make_delta(z, y):
    quadratic = xent.output("quadratic@sigmoid")
    assert close(quadratic.delta(z, y), formula("gain").at(a=answer(z), y=y, gain=float(quadratic.gain(z, y))))


@drawn(z=scores)
def test_the_slip_is_the_slope_by_a_and_what_is_needed_is_the_slope_by_z(z):
    slip, a = formula("demo_slip"), Sigmoid()(np.asarray(z))
    bernoulli = xent.output("cross-entropy@sigmoid")
    assert close(bernoulli.cost.slope(a, np.asarray(0.0)), slip.at(a=float(a)))
    assert str(slip.unlike[0]) == "a"
    assert close(bernoulli.delta(z, 0.0), float(a))


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
}


@pytest.mark.parametrize("key", WRITTEN)
def test_text_is_what_a_careful_author_writes(key):
    assert formula(key).text() == WRITTEN[key]


def test_latex():
    assert formula("sigmoid").latex() == r"\sigma(z) = \frac{1}{1 + e^{-z}}"
    assert formula("cross_entropy").latex() == r"L = -[y\log \hat{y} + (1 - y)\log(1 - \hat{y})]"
    assert formula("absolute").latex().strip() == r"C = \lvert a - y\rvert"
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
