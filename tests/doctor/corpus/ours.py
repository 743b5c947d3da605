"""xent's own criteria in a model's training: with the same faults as PyTorch's, and as healthy."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import xent.torch

from . import fault, healthy
from .parts import labels, mlp, rows, yes_no

# ── faults ──


@fault("probabilities-as-logits")
def softmax_then_our_module():
    return mlp(end=[nn.Softmax(dim=1)]), xent.torch.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def softmax_then_our_function_with_options():
    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1, z_loss=1e-4, reduction="sum")

    return mlp(end=[nn.Softmax(dim=1)]), criterion, (rows(), labels())


@fault("probabilities-as-logits")
def softmax_then_our_array_function():
    def forward(model, batch):
        x, y = batch
        return xent.cross_entropy(model(x), y, ignore_index=-1)

    return mlp(end=[nn.Softmax(dim=1)]), None, (rows(), labels()), forward


@fault("probabilities-as-logits")
def softmax_then_our_criterion():
    return mlp(end=[nn.Softmax(dim=1)]), xent.torch.Criterion("focal(gamma=2)@softmax"), (rows(), labels())


@fault("probabilities-as-logits")
def sigmoid_twice_in_our_criterion():
    y = yes_no()[:, None]
    return mlp(k=1, end=[nn.Sigmoid()]), xent.torch.Criterion("quadratic@sigmoid", "sum"), (rows(), y)


@fault("squared-error-on-squashed-output")
def our_quadratic_on_a_sigmoid():
    return mlp(k=1), xent.torch.Criterion("quadratic@sigmoid"), (rows(), yes_no()[:, None])


@fault("squared-error-on-squashed-output")
def our_quadratic_on_a_softmax_with_class_numbers():
    return mlp(k=4), xent.torch.Criterion("quadratic@softmax"), (rows(), labels(k=4))


@fault("squared-error-on-squashed-output")
def our_quadratic_on_a_tanh_with_labels():
    return mlp(k=1), xent.torch.Criterion("quadratic@tanh", "batchmean"), (rows(), 2 * yes_no()[:, None] - 1)


@fault("squared-error-on-squashed-output")
def our_quadratic_on_a_sigmoid_in_the_model():
    return mlp(k=1, end=[nn.Sigmoid()]), xent.torch.Criterion("quadratic@identity"), (rows(), yes_no()[:, None])


@fault("softmax-for-independent-labels")
def our_cross_entropy_for_several_labels():
    return mlp(k=6), xent.torch.CrossEntropyLoss(), (rows(), (torch.rand(32, 6) > 0.5).float())


@fault("class-index-out-of-range")
def classes_from_one_in_our_module():
    return mlp(k=4), xent.torch.CrossEntropyLoss(), (rows(), labels(k=4) + 1)


@fault("class-index-out-of-range")
def classes_that_do_not_exist_for_our_cost():
    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, valid_classes=4)

    return mlp(k=8), criterion, (rows(), labels(k=5))


@fault("float-class-indices")
def float_classes_in_our_criterion():
    return mlp(k=4), xent.torch.Criterion("poly(epsilon=1)@softmax"), (rows(), labels(k=4).float())


@fault("zero-class-weight")
def a_weight_of_zero_in_our_module():
    return mlp(), xent.torch.CrossEntropyLoss(weight=torch.tensor([1.0, 0.0, 1.0])), (rows(), labels())


@fault("all-ignored")
def all_ignored_in_our_module():
    return mlp(), xent.torch.CrossEntropyLoss(ignore_index=2), (rows(), torch.full((32,), 2))


@fault("class-axis")
def classes_last_where_ours_takes_them_second():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(8, 5)

        def forward(self, x):
            return self.out(x)

    return Tagger(), xent.torch.CrossEntropyLoss(), (torch.randn(12, 7, 8), torch.arange(84).reshape(12, 7) % 5)


@fault("sigmoid-for-exclusive-classes")
def our_sigmoids_for_one_of_four():
    return mlp(k=4), xent.torch.Criterion("cross-entropy@sigmoid"), (rows(), F.one_hot(labels(k=4), 4).float())


@fault("signed-labels")
def our_sigmoid_with_signed_labels():
    return mlp(k=1), xent.torch.Criterion("cross-entropy@sigmoid"), (rows(), 2 * yes_no()[:, None] - 1)


# ── healthy ──


@healthy
def our_module_with_weights_and_smoothing():
    weight = torch.tensor([1.0, 4.0, 0.5])
    return mlp(), xent.torch.CrossEntropyLoss(weight=weight, label_smoothing=0.1), (rows(), labels())


@healthy
def our_function_with_statistics():
    def criterion(z, y):
        cost, _ = xent.torch.cross_entropy(z, y, stats=("correct", "gain"))
        return cost

    return mlp(), criterion, (rows(), labels())


@healthy
def our_module_with_soft_targets():
    return mlp(k=4), xent.torch.CrossEntropyLoss(), (rows(), torch.softmax(torch.randn(32, 4), dim=1))


@healthy
def our_module_on_pixels():
    y = torch.arange(4 * 36).reshape(4, 6, 6) % 3
    y[:, 0] = -100
    return nn.Conv2d(2, 3, 3, padding=1), xent.torch.CrossEntropyLoss(), (torch.randn(4, 2, 6, 6), y)


@healthy
def our_function_with_classes_last():
    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, axis=-1, softcap=30.0, z_loss=1e-4, denominator=84.0)

    return nn.Linear(8, 5), criterion, (torch.randn(12, 7, 8), torch.arange(84).reshape(12, 7) % 5)


@healthy
def our_cosine_logits_with_a_temperature():
    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 64))

        def forward(self, x):
            return F.normalize(x, dim=-1) @ F.normalize(self.w, dim=-1).T

    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, temperature=0.5)

    return Cosine(), criterion, (torch.randn(32, 64), labels(k=4))


@healthy
def our_padded_vocabulary():
    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, valid_classes=5, label_smoothing=0.1)

    return mlp(k=8), criterion, (rows(), labels(k=5))


@healthy
def our_focal_criterion():
    return mlp(k=4), xent.torch.Criterion("focal(gamma=2)@softmax"), (rows(), labels(k=4))


@healthy
def our_focal_shape():
    def criterion(z, y):
        return xent.torch.cross_entropy(z, y, shape="focal(gamma=2)", reduction="none").mean()

    return mlp(k=4), criterion, (rows(), labels(k=4))


@healthy
def our_focal_on_sigmoids_of_several_labels():
    return mlp(k=6), xent.torch.Criterion("focal(gamma=2)@sigmoid", "batchmean"), (rows(), (torch.rand(32, 6) > 0.5).float())


@healthy
def our_smoothed_criterion():
    return mlp(), xent.torch.Criterion("smooth(cross-entropy, epsilon=0.1)@softmax"), (rows(), labels())


@healthy
def our_symmetric_criterion_on_sequences():
    model = nn.Conv1d(4, 3, 3, padding=1)
    criterion = xent.torch.Criterion("symmetric-cross-entropy@softmax")
    return model, criterion, (torch.randn(8, 4, 10), torch.arange(80).reshape(8, 10) % 3)


@healthy
def our_cross_entropy_on_a_tanh():
    return mlp(k=1), xent.torch.Criterion("cross-entropy@tanh"), (rows(), 2 * yes_no()[:, None] - 1)


@healthy
def our_quadratic_on_linear_outputs():
    return mlp(k=2), xent.torch.Criterion("quadratic@identity", "batchmean"), (rows(), torch.randn(32, 2))


@healthy
def our_quadratic_regression_into_a_range():
    return mlp(k=1), xent.torch.Criterion("quadratic@sigmoid"), (rows(), 0.3 + 0.4 * torch.rand(32, 1))


@healthy
def our_margin_criterion():
    return mlp(k=1), xent.torch.Criterion("logistic@identity"), (rows(), 2 * yes_no()[:, None] - 1)


@healthy
def our_hinge_criterion():
    return mlp(k=1), xent.torch.Criterion("hinge@identity"), (rows(), 2 * yes_no()[:, None] - 1)


@healthy
def our_criterion_in_bfloat16():
    return mlp().to(torch.bfloat16), xent.torch.CrossEntropyLoss(), (rows().to(torch.bfloat16), labels())


@healthy
def two_heads_with_costs_of_ours():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
            self.kind, self.size = nn.Linear(16, 3), nn.Linear(16, 1)

        def forward(self, x):
            h = self.body(x)
            return self.kind(h), self.size(h)

    kind, size = xent.torch.Criterion("cross-entropy@softmax"), xent.torch.Criterion("quadratic@identity")

    def criterion(output, y):
        return kind(output[0], y[0]) + size(output[1], y[1])

    return Two(), criterion, (rows(), (labels(), torch.randn(32, 1)))
