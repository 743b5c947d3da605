"""The formulas of δ, error and gain against the code that computes them, at drawn points."""

import numpy as np
import pytest
from hypothesis import strategies as st
from texts.against_code import answer, close, drawn, labels, scores, signs, truth_probability

import xent
from xent.activations import Sigmoid, Softmax
from xent.texts.formulas import formula


@drawn(z=scores, y=st.floats(0, 1))
def test_deltas(z, y):
    a = answer(z)
    for key in ("quadratic", "cross-entropy"):
        exact = formula(f"{key.replace('-', '_')}_delta").at(a=a, y=y)
        assert close(xent.output(f"{key}@sigmoid").delta(z, y), exact, scale=float(formula("quadratic_delta").at(a=a, y=0)))


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
