"""Batches in which nothing counts, or a class does not."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import hot, labels, mlp, rows, yes_no


@fault("all-ignored")
def nothing_but_padding():
    return mlp(), nn.CrossEntropyLoss(ignore_index=0), (rows(), torch.zeros(32, dtype=torch.long))


@fault("all-ignored")
def a_mask_without_a_one():
    def criterion(z, y):
        keep = y != 9
        return F.cross_entropy(z[keep], y[keep])

    return mlp(), criterion, (rows(), torch.full((32,), 9))


@fault("zero-class-weight")
def a_weight_of_zero():
    return mlp(), nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.0, 2.0])), (rows(), labels())


@fault("zero-class-weight")
def weights_by_hand_with_a_zero():
    w = torch.tensor([0.0, 1.0, 1.0])
    return mlp(), lambda z, y: (w[y] * F.cross_entropy(z, y, reduction="none")).mean(), (rows(), labels())


@fault("zero-class-weight")
def positive_weight_of_zero():
    return mlp(k=1), nn.BCEWithLogitsLoss(pos_weight=torch.tensor([0.0])), (rows(), yes_no()[:, None])


@fault("all-ignored")
def a_mask_of_zeros_over_at_least_one():
    def criterion(z, batch):
        y, mask = batch
        return (F.cross_entropy(z, y, reduction="none") * mask).sum() / mask.sum().clamp(min=1)

    return mlp(k=3), criterion, (rows(), (labels(), torch.zeros(32)))


@fault("zero-class-weight")
def a_weight_of_zero_on_one_hot_labels():
    w = torch.tensor([1.0, 0.0, 2.0])
    return mlp(k=3), lambda z, y: -(hot(y) * w * z.log_softmax(1)).sum(1).mean(), (rows(), labels())
