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
weights = st.floats(0, 2).filter(lambda v: v == 0 or v > 1e-100)  # a product with a subnormal number has few digits
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


@drawn(z=scores, y=labels, parameter=st.floats(0.05, 1), alpha=weights, beta=weights)
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


@pytest.mark.parametrize("name", ["softplus", "relu"])
@drawn(z=scores.filter(lambda z: z != 0))
def test_slopes_of_hidden_layers(name, z):
    activation = {"softplus": Softplus(), "relu": ReLU()}[name]
    slope = formula(f"{name}_slope")
    at = {"a": formula(name).at(z=z)} if "a" in slope.variables else {"z": z}
    a = activation(np.asarray(z))
    assert close(activation.pullback(a, np.asarray(1.0)), slope.at(**at), scale=1e-3)
    assert formula("identity_slope").at() == 1 == Identity().pullback(np.asarray(z), np.asarray(1.0))


@drawn(z=rows, g=rows)
def test_the_way_back_through_a_softmax(z, g):
    p, K = Softmax()(np.asarray(z)), len(z)
    g = np.resize(g, K)
    for j in range(K):
        one_hot = np.eye(K)[j]
        assert close(Softmax().pullback(p, g)[j], formula("softmax_pullback").at(p=p, g=g, j=j + 1, K=K), scale=np.abs(g).max())
        assert close(Softmax().pullback(p, one_hot)[j], formula("softmax_own_slope").at(p=p, j=j + 1))
        k = (j + 1) % K
        assert close(Softmax().pullback(p, np.eye(K)[k])[j], formula("softmax_cross_slope").at(p=p, j=j + 1, k=k + 1))


SLOPES = {"quadratic": "quadratic@sigmoid", "absolute": "absolute@sigmoid", "cross_entropy": "cross-entropy@sigmoid",
          "tanh_cross_entropy": "cross-entropy@tanh", "rescaled_quadratic": "rescaled-quadratic@identity"}  # fmt: skip


@pytest.mark.parametrize("key", SLOPES)
@drawn(a=st.floats(0.01, 0.99), y=labels)
def test_slopes_of_costs(key, a, y):
    cost, slope = xent.output(SLOPES[key]).cost, formula(f"{key}_slope")
    at = {"a": a, "y": y} | ({"k": cost.k, "M": cost.M} if "k" in slope.variables else {})
    assert close(cost.slope(np.asarray(a), np.asarray(y)), slope.at(**at), scale=1.0)


DELTAS = {
    "quadratic_delta": "quadratic@sigmoid",
    "quadratic_tanh_delta": "quadratic@tanh",
    "quadratic_identity_delta": "quadratic@identity",
    "absolute_delta": "absolute@sigmoid",
    "absolute_tanh_delta": "absolute@tanh",
    "absolute_identity_delta": "absolute@identity",
    "cross_entropy_delta": "cross-entropy@sigmoid",
    "tanh_cross_entropy_delta": "cross-entropy@tanh",
}
GAINS = {
    "quadratic_gain": "quadratic@sigmoid",
    "quadratic_tanh_gain": "quadratic@tanh",
    "absolute_gain": "absolute@sigmoid",
    "absolute_tanh_gain": "absolute@tanh",
    "absolute_tanh_hard_gain": "absolute@tanh",
    "absolute_identity_gain": "absolute@identity",
    "unit_gain": "cross-entropy@tanh",
}


@drawn(z=scores.filter(lambda z: abs(z) <= 4), high=st.booleans())
def test_deltas_and_gains_of_one_number(z, high):
    for keys, quantity in ((DELTAS, "delta"), (GAINS, "gain")):
        for key, name in keys.items():
            output, f = xent.output(name), formula(key)
            y = 1.0 if high else float(output.activation.range.low) if output.activation.squashed else 0.0
            a = z if name.endswith("identity") else formula(output.activation.name).at(z=z)
            if a != y:
                values = {"a": a, "y": y}
                exact = f.at(**{variable: values[variable] for variable in f.variables})
                assert close(getattr(output, quantity)(z, y), exact, scale=1e-3), key


@drawn(z=scores, y=labels)
def test_the_gain_of_the_absolute_error_is_the_probability_of_the_truth(z, y):
    assert close(xent.output("absolute@sigmoid").gain(z, y), formula("absolute_hard_gain").at(p=truth_probability(z, y)))


@drawn(a=scores, y=labels, k=st.floats(0.5, 20), m=st.floats(0.5, 40))
def test_where_the_rescaled_quadratic_pulls(a, y, k, m):
    output = xent.output(f"rescaled-quadratic(k={k!r}, M={m!r})@identity")
    t = formula("rescaled_quadratic_aim").at(k=k, M=m, y=y)
    assert close(output.cost.aim(np.asarray(y)), t)
    assert close(output.delta(a, y), formula("rescaled_quadratic_delta").at(a=a, k=k, t=t, y=y), scale=k * m)
    assert close(output.gain(a, y), formula("rescaled_quadratic_gain").at(k=k, y=y))


PHI = {"focal": "gamma", "poly": "epsilon", "lq": "q"}


@drawn(z=scores, y=labels, parameter=st.floats(0.05, 1), alpha=st.floats(0, 2), beta=st.floats(0, 2))
def test_costs_of_the_surprisal(z, y, parameter, alpha, beta):
    """φ is the cost, φ′ the gain, and φ′ times the error δ."""
    p = truth_probability(z, y)
    ell = formula("surprisal").at(p=p)
    outputs = {
        name: ({parameter_name: parameter}, f"{name}({parameter_name}={parameter!r})") for name, parameter_name in PHI.items()
    }
    mixed = {"alpha": alpha, "beta": beta, "A": -4}
    outputs["symmetric_cross_entropy"] = mixed, f"symmetric-cross-entropy(alpha={alpha!r}, beta={beta!r}, A=-4)"
    for name, (given_values, written) in outputs.items():
        output, slope = xent.output(f"{written}@sigmoid"), formula(f"{name}_phi_slope")
        assert close(output.value(z, y), formula(f"{name}_phi").at(ell=ell, **given_values), scale=1e-12), name
        phi_slope = slope.at(**{v: {"p": p, "ell": ell, **given_values}[v] for v in slope.variables})
        assert close(output.gain(z, y), phi_slope), name
        assert close(output.delta(z, y), formula("surprisal_delta").at(a=answer(z), y=y, phi_slope=phi_slope), scale=1e-12), name


@drawn(z=scores, y=labels)
def test_the_slope_of_the_surprisal_is_the_error(z, y):
    assert close(xent.output("cross-entropy@sigmoid").delta(z, y), formula("surprisal_sigmoid").at(a=answer(z), y=y), scale=1e-12)


@drawn(z=st.lists(st.floats(-6, 6), min_size=3, max_size=5), right=st.integers(0, 2))
def test_softmax_pairs(z, right):
    K = len(z)
    p = [formula("softmax").at(z=z, j=j + 1, K=K) for j in range(K)]
    y = [float(j == right) for j in range(K)]
    logits, index = np.asarray(z), np.asarray(right)
    delta = {name: xent.output(f"{name}@softmax").delta(logits, index) for name in ("quadratic", "cross-entropy", "absolute", "lq")}
    for j in range(1, K + 1):
        assert close(delta["quadratic"][j - 1], formula("quadratic_softmax_delta").at(p=p, y=y, j=j, K=K), scale=1.0)
        assert close(delta["cross-entropy"][j - 1], formula("softmax_cross_entropy_delta").at(p=p, y=y, j=j), scale=1e-2)
        assert close(delta["cross-entropy"][j - 1], formula("surprisal_softmax").at(p=p, y=y, j=j), scale=1e-2)
        slope = formula("lq_phi_slope").at(p=p[right], q=0.7)
        assert close(delta["lq"][j - 1], formula("surprisal_softmax_delta").at(p=p, y=y, j=j, phi_slope=slope), scale=1e-2)
        assert close(Softmax()(logits)[j - 1], formula("log_sum_exp_slope").at(z=z, j=j, K=K))
        slope = formula("quadratic_softmax_slope").at(p=p, y=y, j=j)
        assert close(
            xent.output("quadratic@softmax").cost.slope(np.asarray(float(p[j - 1])), np.asarray(y[j - 1])), slope, scale=1.0
        )
    values = {name: xent.output(f"{name}@softmax").value(logits, index) for name in ("quadratic", "cross-entropy", "absolute")}
    assert close(values["quadratic"], formula("quadratic_softmax").at(p=p, y=y, K=K), scale=1e-2)
    assert close(values["cross-entropy"], formula("softmax_cross_entropy_scores").at(z=z, z_y=z[right], K=K), scale=1e-2)
    assert close(values["cross-entropy"], formula("softmax_cross_entropy_soft").at(p=p, y=y, K=K), scale=1e-2)
    assert close(values["absolute"], formula("absolute_softmax").at(p_y=p[right]), scale=1e-2)
    ell = formula("surprisal").at(p=p[right])
    assert close(values["absolute"], formula("absolute_phi").at(ell=ell), scale=1e-2)
    assert close(xent.output("absolute@softmax").gain(logits, index), formula("absolute_phi_slope").at(p=p[right]), scale=1e-2)
    assert xent.output("cross-entropy@softmax").gain(logits, index) == formula("softmax_unit_gain").at()


@drawn(z=st.floats(-15, 15), right=st.integers(0, 1))
def test_the_quadratic_gain_of_two_classes(z, right):
    p = truth_probability(z, 1.0)
    assert close(
        xent.output("quadratic@softmax").gain(np.asarray([z, 0.0]), np.asarray(right)), formula("quadratic_softmax_gain_2").at(p=p)
    )


@drawn(s=scores.filter(lambda s: abs(abs(s) - 1) > 1e-6), y=signs)
def test_deltas_and_gains_of_margins(s, y):
    error = formula("margin_error").at(s=s, y=y)
    assert close(xent.output("logistic").error(s, y), error)
    for key in ("logistic", "hinge", "squared_hinge", "exponential"):
        output = xent.output(key.replace("_", "-"))
        if key == "hinge" and y * s >= 1:  # its formulas hold below a margin of 1
            assert output.delta(s, y) == 0 == output.gain(s, y)
            continue
        for quantity in ("delta", "gain"):
            f = formula(f"{key}_{quantity}")
            exact = f.at(**{variable: {"s": s, "y": y}[variable] for variable in f.variables})
            assert close(getattr(output, quantity)(s, y), exact, scale=1e-12), (key, quantity)
        assert close(output.gain(s, y) * float(error), output.delta(s, y), scale=1e-12)


@drawn(y=st.floats(0, 1), epsilon=st.floats(0, 1), classes=st.integers(2, 6))
def test_smoothed_targets(y, epsilon, classes):
    smooth = f"smooth(cross-entropy, epsilon={epsilon!r})"
    for activation, key, target in (("sigmoid", "smoothed_target", y), ("tanh", "smoothed_target_tanh", 2 * y - 1)):
        aim = xent.output(f"{smooth}@{activation}").cost.aim(np.asarray(target))
        assert close(aim, formula(key).at(y=target, epsilon=epsilon), scale=1e-3)
    shares = [y] + [(1 - y) / (classes - 1)] * (classes - 1)
    aim = xent.output(f"{smooth}@softmax").cost.aim(np.asarray(shares))
    for j in range(classes):
        assert close(aim[j], formula("smoothed_target_softmax").at(y=shares, j=j + 1, K=classes, epsilon=epsilon), scale=1e-3)


@drawn(z=scores, y=labels)
def test_the_chain_rule_and_the_gain(z, y):
    output, a = xent.output("focal@sigmoid"), Sigmoid()(np.asarray(z))
    delta, error = float(output.delta(z, y)), float(output.error(z, y))
    if abs(error) > 1e-3 and abs(error) < 0.999:
        parts = {
            "cost_slope": float(output.cost.slope(a, np.asarray(y))),
            "sigma_slope": float(Sigmoid().pullback(a, np.asarray(1.0))),
        }
        assert float(formula("chain").at(**parts)) == pytest.approx(delta, rel=1e-9)
        assert float(formula("gain_of").at(a=error + y, y=y, delta=delta)) == pytest.approx(float(output.gain(z, y)), rel=1e-9)


def test_the_gain_of_a_vector():
    output, z = xent.output("quadratic@softmax"), np.asarray([0.3, -0.2, 1.1])
    e, delta = (float(np.linalg.norm(v)) for v in (output.error(z, 1), output.delta(z, 1)))
    assert close(output.gain(z, np.asarray(1)), formula("softmax_gain_of").at(delta=delta, p=e, y=0.0))  # norms of the two


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
