"""The formulas of activations, costs and their slopes against the code that computes them, at drawn points."""

import numpy as np
import pytest
from hypothesis import strategies as st
from texts.against_code import answer, close, drawn, labels, scores, signs, truth_probability

import xent
from xent.activations import Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from xent.texts.formulas import formula

rows = st.lists(st.floats(-20, 20), min_size=2, max_size=6)
weights = st.floats(0, 2).filter(lambda v: v == 0 or v > 1e-100)  # a product with a subnormal number has few digits


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
