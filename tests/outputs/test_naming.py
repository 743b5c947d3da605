"""Names: read, written, wrong; and a user's own cost and activation beside the built-in ones."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xent
from xent.activations import Activation, Interval, Sigmoid
from xent.costs import Cost, CrossEntropy, Focal, Quadratic, Smooth
from xent.errors import InputError, PairError, UnknownNameError, XentError
from xent.outputs import Output
from xent.outputs.naming import read_cost, split


@pytest.mark.parametrize("output", xent.catalogue(), ids=str)
def test_a_name_reads_back_to_the_same_output(output):
    assert xent.output(str(output)) == output
    assert hash(xent.output(str(output))) == hash(output)


@given(st.floats(0, 50), st.floats(0, 1))
def test_parameters_survive(gamma, epsilon):
    output = xent.output(Smooth(Focal(gamma=gamma), epsilon=epsilon), "softmax")
    assert xent.output(str(output)) == output


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("quadratic", "quadratic@sigmoid"),
        ("cross-entropy", "cross-entropy@sigmoid"),
        ("focal", "focal(gamma=2)@softmax"),
        ("lq", "lq(q=0.7)@softmax"),
        ("poly", "poly(epsilon=1)@softmax"),
        ("hinge", "hinge@identity"),
        ("exponential", "exponential@identity"),
        ("logistic", "logistic@identity"),
        (" Cross_Entropy @ Tanh ", "cross-entropy@tanh"),
        ("focal( gamma = 0.5 )@sigmoid", "focal(gamma=0.5)@sigmoid"),
        ("focal()", "focal(gamma=2)@softmax"),
        ("smooth(epsilon=0.2, focal(gamma=1))@softmax", "smooth(focal(gamma=1), epsilon=0.2)@softmax"),
        ("smooth(smooth(quadratic, epsilon=0.5), epsilon=0)@sigmoid", "smooth(smooth(quadratic, epsilon=0.5), epsilon=0)@sigmoid"),
        ("quadratic@softplus", "quadratic@softplus"),
    ],
)
def test_reading(name, written):
    assert str(xent.output(name)) == written


def test_objects_and_names_mix():
    assert xent.output(Quadratic(), Sigmoid()) == xent.output("quadratic@sigmoid") == xent.output("quadratic", "sigmoid")
    assert xent.output(CrossEntropy()) == xent.output("cross-entropy@sigmoid")
    output = xent.output("hinge")
    assert xent.output(output) is output


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("mse", UnknownNameError, "did you mean 'quadratic'"),
        ("bce@sigmoid", UnknownNameError, "did you mean 'cross-entropy'"),
        ("cross-entropi", UnknownNameError, "'cross-entropy'"),
        ("quadratic@sigmod", UnknownNameError, "'sigmoid'"),
        ("quadratic@linear", UnknownNameError, "'identity'"),
        ("focal(gama=2)", UnknownNameError, "'gamma'"),
        ("focal(2)", InputError, "gamma=2"),
        ("focal(gamma=two)", InputError, "'two'"),
        ("focal(gamma=-1)", InputError, "at least 0"),
        ("focal(gamma=nan)", InputError, "number"),
        ("focal(gamma=1, gamma=2)", InputError, "twice"),
        ("lq(q=0)", InputError, "between"),
        ("poly(epsilon=-2)", InputError, "at least -1"),
        ("hinge(a=2)", InputError, "no parameters"),
        ("smooth", InputError, "wraps another cost"),
        ("smooth(hinge)@identity", PairError, "labels"),
        ("smooth(quadratic)@identity", PairError, "two ends"),
        ("cross-entropy@identity", PairError, "logistic@identity"),
        ("focal@relu", PairError, "focal(gamma=2)@sigmoid"),
        ("hinge@sigmoid", PairError, "hinge@identity"),
        ("rescaled-quadratic@softmax", PairError, "rescaled-quadratic(k=15, M=30)@identity"),
        ("symmetric-cross-entropy@tanh", PairError, "@softmax"),
        ("focal((gamma=2)", InputError, "parentheses"),
        ("", InputError, "cannot read"),
        ("@sigmoid", InputError, "cannot read"),
        ("quadratic@sigmoid@tanh", UnknownNameError, "activation"),
    ],
)
def test_wrong_names(name, error, says):
    with pytest.raises(error) as caught:
        xent.output(name)
    assert says in str(caught.value)
    assert isinstance(caught.value, XentError)
    assert isinstance(caught.value, ValueError)


def test_two_activations():
    for wrong in ((xent.output("hinge"), "identity"), ("quadratic@sigmoid", "tanh")):
        with pytest.raises(InputError, match="already"):
            xent.output(*wrong)


@pytest.mark.parametrize(
    "call",
    ["xent.output(3)", "xent.output('hinge', 3)", "xent.output(xent.costs.Quadratic)", "xent.costs.Smooth('quadratic')"],
)
def test_wrong_objects(call):
    """In a process of its own, where no type checker stands in front of the message."""
    code = f"import xent, xent.costs\ntry: {call}\nexcept xent.XentError as e: print(e)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "came" in printed
    assert ("3" if "3" in call else "uadratic") in printed


def test_split_keeps_parentheses_together():
    assert split("a, b(c=1, d=2),e") == ["a", "b(c=1, d=2)", "e"]
    for wrong in ("a(b", "a)b("):
        with pytest.raises(InputError):
            split(wrong)


def test_smoothing_wraps_a_cost():
    assert read_cost("smooth(quadratic)") == Smooth(Quadratic())


@dataclass(frozen=True)
class Quartic(Cost):
    """A user's own cost."""

    scale: float = 1.0
    name = "quartic"
    usual = "sigmoid"

    def __call__(self, a, y):
        return self.scale * (a - y) ** 4 / 4

    def slope(self, a, y):
        return self.scale * (a - y) ** 3


class Cauchy(Activation):
    """A user's own activation, between 0 and 1."""

    name = "cauchy"
    range = Interval.open(0, 1)

    def __call__(self, z):
        return 0.5 + np.arctan(z) / np.pi

    def pullback(self, a, g):
        return g * np.cos(np.pi * (a - 0.5)) ** 2 / np.pi


def test_a_users_own_cost_is_as_good_as_a_built_in_one(lib):
    output = xent.output(Quartic(scale=2.0), "sigmoid")
    assert str(output) == "quartic(scale=2)@sigmoid"
    z, y = np.asarray([0.3, -1.0]), np.asarray([0.0, 1.0])
    a = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(lib.back(output.delta(lib.make(z), lib.make(y))), 2 * (a - y) ** 3 * a * (1 - a))
    np.testing.assert_allclose(lib.back(output.gain(lib.make(z), lib.make(y))), 2 * (a - y) ** 2 * a * (1 - a))
    on_softmax = xent.output(Quartic(), "softmax")
    assert on_softmax.value(np.zeros((5, 3)), np.zeros(5, dtype=int)).shape == (5,)
    run = xent.Neuron(2.0, 2.0).learn(1.0, 0.0, output=output)
    assert run.a[-1] < run.a[0]


def test_a_users_own_activation():
    output = xent.output("cross-entropy", Cauchy())
    z, y, h = np.asarray([0.3, -1.0]), np.asarray([0.0, 1.0]), 1e-6
    np.testing.assert_allclose(output.delta(z, y), (output.value(z + h, y) - output.value(z - h, y)) / (2 * h), rtol=1e-6)
    assert type(xent.output("quadratic", Cauchy())) is Output


class Plain:
    """A cost that knows nothing of xent."""

    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


class PlainSigmoid:
    """An activation that knows nothing of xent."""

    range = (0, 1)

    def __call__(self, z):
        return 1 / (1 + np.exp(-z))

    def pullback(self, a, g):
        return g * a * (1 - a)


def test_objects_that_know_nothing_of_xent():
    z, y = np.asarray([0.3, -1.0]), np.asarray([0.0, 1.0])
    expected = xent.output("quadratic@sigmoid")
    for activation in ("sigmoid", PlainSigmoid()):
        output = xent.output(Plain(), activation)
        np.testing.assert_allclose(output.value(z, y), expected.value(z, y))
        np.testing.assert_allclose(output.delta(z, y), expected.delta(z, y))
        np.testing.assert_allclose(output.gain(z, y), expected.gain(z, y))
    assert str(output) == "Plain@PlainSigmoid"
    np.testing.assert_allclose(xent.output("cross-entropy", PlainSigmoid()).delta(z, y), xent.output("cross-entropy").delta(z, y))
    with pytest.raises(PairError):
        xent.output("hinge", PlainSigmoid())


class WrongQuadratic(Quadratic):
    """A subclass with a formula of its own must not get the built-in closed form."""

    def slope(self, a, y):
        return 3 * (a - y)


def test_a_subclass_with_its_own_formula_keeps_it():
    assert xent.output(WrongQuadratic(), "identity").delta(1.0, 0.0) == 3


def test_a_vector_cost_that_is_no_sum():
    class Distance(Cost):
        name = "distance"

        def __call__(self, a, y):
            return np.sqrt(np.sum((a - y) ** 2, axis=-1))

        def slope(self, a, y):
            return (a - y) / self(a, y)[..., None]

    output = xent.output(Distance(), "softmax")
    assert output.value(np.zeros((2, 3)), np.asarray([0, 1])).shape == (2,)
    assert output.delta(np.zeros((2, 3)), np.asarray([0, 1])).shape == (2, 3)
