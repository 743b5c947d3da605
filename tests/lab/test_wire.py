"""The binary messages: what goes in comes out, byte for byte where the layout says."""

from __future__ import annotations

import json
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from xent.lab import wire

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.int32, np.uint8]), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)
    ),
)
names = st.text(min_size=1, max_size=8).filter(lambda name: name != "$")
trees = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12)


def same(one, other):
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair)
    else:
        assert one == other


@given(number=st.none() | st.integers(0, 2**31), tree=trees)
def test_what_goes_in_comes_out(number, tree):
    again = wire.unpacked(wire.packed(number, tree))
    assert again[0] == number
    same(tree, again[1])


def test_the_layout():
    """As wire.js reads it: little end first, every array at a multiple of 8."""
    message = wire.packed(3, {"a": np.asarray([1, 2, 3], np.int32), "b": np.asarray([0.5])})
    (length,) = struct.unpack_from("<I", message)
    assert (4 + length) % 8 == 0
    header = json.loads(message[4 : 4 + length])
    assert header["tree"] == {"a": {"$": 0}, "b": {"$": 1}}
    assert [place["at"] for place in header["arrays"]] == [0, 16]
    assert struct.unpack_from("<3i", message, 4 + length) == (1, 2, 3)
    assert struct.unpack_from("<d", message, 4 + length + 16) == (0.5,)


def test_numbers_that_json_does_not_know():
    sent = {"x": float("nan"), "y": [np.float64("inf")], "z": np.asarray([np.nan, -np.inf])}
    _, came = wire.unpacked(wire.packed(None, sent))
    assert came["x"] is None
    assert came["y"] == [None]
    np.testing.assert_array_equal(came["z"], sent["z"])
