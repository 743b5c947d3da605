"""What cross-entropy on logits refuses, and that its messages say what came and what to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import xent
from xent.errors import ArrayKindError, InputError, ShapeError, TargetError, UnknownNameError
from xent.ops import Options

Z, Y = np.zeros((3, 4)), np.asarray([0, 1, 2])
SOFT = np.full((3, 4), 0.25)
WRONG = [
    ((Z, np.asarray([0, 1, 4])), {}, TargetError, "(the logits have 4 classes), or are ignore_index=-100, but the target at"),
    ((Z, np.asarray([0, -1, -1])), {}, TargetError, "place 1 is -1 (2 of 3 are wrong)"),
    ((Z, np.asarray([0, 1, 3])), {"valid_classes": 3}, TargetError, "from 0 to 2 (valid_classes=3 of 4)"),
    ((Z, SOFT * 1.1), {}, TargetError, "sum to 1 over the classes, but the sum at place 0 is 1.1"),
    ((Z, np.where(np.arange(4) == 1, -0.25, 0.3125 + SOFT * 0.41)), {}, TargetError, "between 0 and 1"),
    ((Z, SOFT), {"valid_classes": 3}, TargetError, "sum to 1 over the classes that exist"),
    ((Z, np.where(np.arange(4) == 1, np.nan, SOFT)), {}, TargetError, "nan"),
    ((Z, Y.astype(float)), {}, ShapeError, "integers of shape (3,)"),
    ((Z, Y[:2]), {}, ShapeError, "but integers of shape (2,) came"),
    ((Z, Y[:, None]), {}, ShapeError, "Nothing is broadcast"),
    ((Z, Y == 1), {}, ShapeError, "booleans of shape (3,)"),
    ((Z[None], Y[None]), {}, ShapeError, "axis=-1 for the last, axis=1 for PyTorch's"),
    ((Z, Y), {"axis": 2}, ShapeError, "axis=2 does not exist"),
    ((np.zeros(()), 0), {}, ShapeError, "class axis"),
    ((np.zeros((3, 0)), Y), {}, ShapeError, "at least one class"),
    ((Z.astype(int), Y), {}, ArrayKindError, "dtype is int64"),
    ((Z.astype(complex), Y), {}, ArrayKindError, "complex"),
    ((Z, torch.tensor(Y)), {}, ArrayKindError, "numpy and torch"),
    ((Z, Y), {"weight": torch.ones(4)}, ArrayKindError, "one library"),
    ((Z, Y), {"weight": np.ones(3)}, ShapeError, "shape (4,), but shape (3,) came"),
    ((Z, Y), {"valid_classes": 5}, InputError, "only 4 classes"),
    ((Z, Y), {"wieght": np.ones(4)}, UnknownNameError, "did you mean 'weight'"),
    ((Z, Y), {"reduction": "avg"}, InputError, "mean, sum, none, but 'avg'"),
    ((Z, Y), {"on_empty": "0"}, InputError, "nan, zero, raise"),
    ((Z, Y), {"stats": "ranks"}, UnknownNameError, "'rank'"),
    ((Z, Y), {"shape": "focl"}, UnknownNameError, "focal"),
    ((Z, Y), {"shape": "hinge"}, InputError, "focal(gamma=2)"),
    ((Z, Y), {"shape": "smooth(focal(gamma=2), epsilon=0.1)"}, InputError, "label_smoothing=0.1"),
    ((Z, Y), {"label_smoothing": 1.5}, InputError, "between 0 and 1, but 1.5"),
    ((Z, Y), {"z_loss": -1}, InputError, "at least 0"),
    ((Z, Y), {"softcap": 0}, InputError, "above 0"),
    ((Z, Y), {"temperature": float("nan")}, InputError, "nan"),
    ((Z, Y), {"temperature": "hot"}, InputError, "'hot'"),
    ((Z, Y), {"ignore_index": 1.5}, InputError, "whole number"),
    ((Z, Y), {"denominator": 0}, InputError, "denominator"),
    ((Z, Y), {"denominator": 2, "reduction": "sum"}, InputError, "takes none"),
    ((Z, np.full(3, -100)), {"on_empty": "raise"}, InputError, "all 3 targets"),
    ((Z, np.asarray([0, 1, -100])), {"on_empty": "raise", "weight": np.arange(4) // 2}, InputError, "or of a class of weight 0"),
    ((Z, Y), {"weight": np.ones(4) * 1j}, ArrayKindError, "complex128"),
    ((Z, Y), {"stats": None}, InputError, "one name or a list of names"),
    ((np.ma.masked_equal(Z, 0), Y), {}, ArrayKindError, "mask would be lost"),
    ((Z, np.ma.masked_equal(Y, 1)), {}, ArrayKindError, "mask would be lost"),
    ((Z, Y), {"weight": np.ma.masked_equal(np.ones(4), 1)}, ArrayKindError, "mask would be lost"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "how", "error", "says"), WRONG)
def test_wrong_input(given, how, error, says):
    for call in (xent.cross_entropy, xent.cross_entropy_and_grad):
        with pytest.raises(error) as caught:
            call(*given, **how)
        assert says in str(caught.value)


def test_the_same_words_for_every_library(lib):
    with pytest.raises(TargetError, match="place 2 is 7"):
        xent.cross_entropy(lib.make(Z), lib.make(np.asarray([0, 1, 7])))
    with pytest.raises(TargetError, match="sum at place 0"):
        xent.cross_entropy(lib.make(Z), lib.make(SOFT * 2 / 3))


def test_masks_are_not_lost_elsewhere_either():
    masked = np.ma.masked_equal(np.zeros((3, 4)), 0)
    for call in (
        lambda: xent.linear_cross_entropy(masked, np.zeros((5, 4)), Y),
        lambda: xent.output("cross-entropy@softmax").value(masked, Y),
        lambda: xent.output("quadratic@sigmoid").delta(Z, masked),
        lambda: xent.jax.cross_entropy(masked, Y),
        lambda: xent.jax.cross_entropy(Z, np.ma.masked_equal(Y, 1)),
    ):
        with pytest.raises(ArrayKindError, match="mask would be lost"):
            call()


def test_nothing_is_changed(lib):
    z, y, w = np.random.default_rng(0).normal(size=(3, 4)), SOFT.copy(), np.ones(4)
    given = [lib.make(v.copy()) for v in (z, y, w)]
    xent.cross_entropy_and_grad(given[0], given[1], weight=given[2], softcap=2.0, label_smoothing=0.1, stats="entropy")
    for before, after in zip((z, y, w), given, strict=True):
        np.testing.assert_array_equal(before, lib.back(after))


def test_lists_and_one_row():
    assert float(xent.cross_entropy([[0.0, 0.0]], [1])) == pytest.approx(np.log(2))
    assert float(xent.cross_entropy(np.zeros(4), 1)) == pytest.approx(np.log(4))
    np.testing.assert_allclose(xent.cross_entropy_and_grad(np.zeros(2), np.asarray(1))[1], [0.5, -0.5])


def test_small_and_unsigned_indices(lib):
    weight = lib.make(np.full(4, 2.0))
    for dtype in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"):
        y = lib.make(Y.astype(dtype))
        assert float(xent.cross_entropy(lib.make(Z), y)) == pytest.approx(np.log(4))
        smooth = xent.cross_entropy(lib.make(Z), y, weight=weight, shape="poly(epsilon=1)", label_smoothing=0.1)
        assert float(smooth) == pytest.approx(np.log(4) + 0.75)


def test_options_without_arrays_can_be_hashed():
    options = Options(weight=np.ones(3), denominator=2.0, shape="focal(gamma=2)", stats="rank")
    assert hash(options.static) == hash(options.static)
    assert options.static == options.static
    assert options.static.weight is None
