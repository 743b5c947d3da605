"""Class numbers of the wrong form, out of range, or on another axis."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import Tagger, labels, mlp, rows


def all_but_the_last(k=3):
    """Class numbers that one class is missing for, so that they end one too high."""
    y = 1 + labels(k=k)
    y[0] = k
    return y


@fault("float-class-indices")
def classes_read_from_a_table_as_floats():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().float())


@fault("float-class-indices")
def classes_as_a_float_column():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().float()[:, None])


@fault("class-index-out-of-range")
def classes_counted_from_one():
    return mlp(k=4), nn.CrossEntropyLoss(), (rows(), labels(k=4) + 1)


@fault("class-index-out-of-range")
def head_too_small():
    return mlp(k=4), nn.NLLLoss(), (rows(), labels(k=7)), lambda m, b: (F.log_softmax(m(b[0]), 1), b[1])


@fault("class-axis")
def time_before_classes():
    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 7)), torch.randint(5, (6, 7)))


@fault("class-axis")
def time_before_classes_and_as_many():
    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 5)), torch.randint(5, (6, 5)))


@fault("class-axis")
def pixels_and_classes_scrambled():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    return net, lambda z, y: F.cross_entropy(z.view(-1, 4), y.view(-1)), (torch.randn(2, 3, 6, 6), torch.randint(4, (2, 6, 6)))


@fault("class-index-out-of-range")
def one_hot_of_too_many():
    def criterion(z, y):
        return -(F.one_hot(y, 3) * F.log_softmax(z, 1)).sum(1).mean()

    return mlp(k=3), criterion, (rows(), labels(k=3) + 1)


@fault("class-index-out-of-range")
def gather_beyond_the_end():
    return mlp(k=3), lambda z, y: -F.log_softmax(z, 1).gather(1, y[:, None]).mean(), (rows(), labels(k=5))


@fault("class-axis")
def soft_targets_on_the_last_axis():
    y = F.one_hot(torch.randint(5, (6, 5)), 5).float()
    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 5)), y)


@fault("class-axis")
def transposed_logits():
    return mlp(k=4), lambda z, y: F.cross_entropy(z.T, y), (rows(), labels(k=4))


@fault("float-class-indices")
def one_hot_targets_left_as_integers():
    return mlp(), nn.CrossEntropyLoss(), (rows(), F.one_hot(labels(), 3))


@fault("float-class-indices")
def class_numbers_as_a_column():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels()[:, None])


@fault("class-axis")
def channels_last_segmentation():
    class Seg(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(1, 4, 1)

        def forward(self, x):
            return self.net(x).permute(0, 2, 3, 1)

    return Seg(), nn.CrossEntropyLoss(), (torch.randn(2, 1, 5, 5), torch.randint(4, (2, 5, 5)))


@fault("float-class-indices")
def class_numbers_of_32_bits():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().int())


@fault("class-index-out-of-range")
def a_class_number_that_counts_from_the_end():
    return mlp(k=3), lambda z, y: -z.log_softmax(1)[range(32), y].mean(), (rows(), labels() - 1)


@fault("class-index-out-of-range")
def a_class_number_that_begins_anew():
    return mlp(k=3), lambda z, y: -torch.take_along_dim(z.log_softmax(1), y[:, None], 1).mean(), (rows(), all_but_the_last())
