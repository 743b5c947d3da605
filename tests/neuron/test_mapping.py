"""The stall map: each place is the neuron that starts there; planes, shares, and wrong input."""

from __future__ import annotations

import numpy as np
import pytest

import xent
from xent.errors import InputError, UnknownNameError
from xent.neuron.mapping import stall_map


def test_each_place_is_its_neuron():
    found = stall_map(["quadratic@sigmoid", "cross-entropy@sigmoid"], size=5, steps=100)
    for label, sweep in found.sweeps.items():
        for i, b in enumerate(found.vertical):
            for j, w in enumerate(found.horizontal):
                step = xent.Neuron(float(w), float(b)).learn(1.0, 0.0, output=label, steps=100).steps_to_learn()
                assert sweep.steps_to_learn[i, j] == (-1 if step is None else step)


def test_the_plane_of_first_outputs_and_rates():
    found = stall_map(["quadratic@tanh", "cross-entropy@sigmoid"], plane="rate", size=4, span=(0.01, 1.0), steps=50, y=0.0)
    np.testing.assert_allclose(found.vertical, [0.01, 0.01 * 100 ** (1 / 3), 0.01 * 100 ** (2 / 3), 1.0])
    for i, rate in enumerate(found.vertical):
        for j, share in enumerate(found.horizontal):
            for label, low in (("quadratic@tanh", -1), ("cross-entropy@sigmoid", 0)):
                start = xent.Neuron.from_output(float(low + (1 - low) * share), activation=label.partition("@")[2])
                step = start.learn(1.0, 0.0, output=label, rate=float(rate), steps=50).steps_to_learn()
                assert found.sweeps[label].steps_to_learn[i, j] == (-1 if step is None else step)


def test_one_look_shows_where_the_quadratic_cost_is_stuck():
    found = stall_map(["quadratic@sigmoid", "cross-entropy@sigmoid"], size=40)
    assert found.never("quadratic@sigmoid") > 0.3
    assert found.never("cross-entropy@sigmoid") == 0
    assert found.median("quadratic@sigmoid") > found.median("cross-entropy@sigmoid")
    assert stall_map(["quadratic"], size=3, span=(5.0, 6.0), steps=1).median("quadratic@sigmoid") is None


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ({"size": 0}, InputError, "2 to 4000"),
        ({"size": 1}, InputError, "2 to 4000"),
        ({"size": 5000}, InputError, "2 to 4000"),
        ({"plane": "strt"}, UnknownNameError, "'start'"),
        ({"span": (1.0, -1.0)}, InputError, "smaller first"),
        ({"span": (0.0, float("inf"))}, InputError, "two numbers"),
        ({"plane": "rate", "span": (0.0, 1.0)}, InputError, "positive rates"),
        ({"rate": float("inf")}, InputError, "inf"),
        ({"learned": 0.0}, InputError, "learned"),
        ({"y": 2.0}, InputError, "2.0"),
    ],
)
def test_wrong_input(how, error, says):
    with pytest.raises(error) as caught:
        stall_map(["quadratic@sigmoid"], **{"size": 4, **how})
    assert says in str(caught.value)


def test_linear_outputs_have_no_plane_of_first_outputs():
    with pytest.raises(InputError, match="two ends"):
        stall_map(["quadratic@identity"], plane="rate", size=4)
    with pytest.raises(InputError, match="at least one"):
        stall_map([])
