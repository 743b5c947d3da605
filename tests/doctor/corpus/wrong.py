"""Models with one planted fault each."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from . import fault


def rows(n=32, d=8):
    return torch.randn(n, d)


def mlp(d=8, k=3, hidden=16, end=()):
    return nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, k), *end)


def labels(n=32, k=3):
    return torch.arange(n) % k


def yes_no(n=32):
    return (torch.arange(n) % 2).float()


# ── what the cost is given ──


@fault("probabilities-as-logits")
def softmax_module_then_cross_entropy():
    return mlp(end=[nn.Softmax(dim=1)]), nn.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def functional_softmax_in_forward():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)
            self.out = nn.Linear(4 * 36, 5)

        def forward(self, x):
            h = torch.relu(self.conv(x)).flatten(1)
            return F.softmax(self.out(h), dim=-1)

    return Net(), F.cross_entropy, (torch.randn(16, 1, 8, 8), labels(16, 5))


@fault("probabilities-as-logits")
def exp_over_its_own_sum():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(k=4)

        def forward(self, x):
            z = self.body(x)
            e = torch.exp(z - z.max(dim=1, keepdim=True).values)
            return e / e.sum(dim=1, keepdim=True)

    return Net(), nn.CrossEntropyLoss(label_smoothing=0.1), (rows(), labels(k=4))


@fault("probabilities-as-logits")
def sigmoid_then_bce_with_logits():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(8, 16), nn.Linear(16, 1)

        def forward(self, x):
            return torch.sigmoid(self.fc2(F.relu(self.fc1(x)))).squeeze(1)

    return Net(), nn.BCEWithLogitsLoss(), (rows(), yes_no())


@fault("probabilities-as-logits")
def softmax_then_nll():
    return mlp(end=[nn.Softmax(-1)]), nn.NLLLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def segmentation_softmax_reshaped():
    class Seg(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))

        def forward(self, x):
            return self.net(x).softmax(1).permute(0, 2, 3, 1).reshape(-1, 4)

    return Seg(), lambda p, y: F.cross_entropy(p, y.flatten()), (torch.randn(2, 3, 6, 6), torch.randint(4, (2, 6, 6)))


@fault("logits-as-probabilities")
def raw_output_into_bce():
    return mlp(k=1), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("logits-as-probabilities")
def raw_output_into_nll():
    return mlp(k=5), nn.NLLLoss(), (rows(), labels(k=5))


@fault("logits-as-probabilities")
def log_of_raw_output_by_hand():
    def criterion(a, y):
        a = a.clamp(1e-7, 1 - 1e-7)
        return -(y * a.log() + (1 - y) * (1 - a).log()).mean()

    return mlp(k=1), criterion, (rows(), yes_no()[:, None])


@fault("logits-as-probabilities")
def kl_of_raw_student():
    teacher = torch.softmax(torch.randn(32, 5), dim=1)
    return mlp(k=5), nn.KLDivLoss(reduction="batchmean"), (rows(), teacher)


@fault("one-class-softmax")
def softmax_over_one_unit():
    return mlp(k=1, end=[nn.Softmax(dim=1)]), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("one-class-softmax")
def cross_entropy_on_one_unit():
    return mlp(k=1), nn.CrossEntropyLoss(), (rows(), torch.zeros(32, dtype=torch.long))


@fault("softmax-wrong-axis")
def log_softmax_over_the_batch():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(k=4)

        def forward(self, x):
            return F.log_softmax(self.body(x), dim=0)

    return Net(), nn.NLLLoss(), (rows(), labels(k=4))


@fault("softmax-wrong-axis")
def softmax_over_time():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(20, 8)
            self.rnn = nn.GRU(8, 16, batch_first=True)
            self.out = nn.Linear(16, 4)

        def forward(self, tokens):
            h, _ = self.rnn(self.emb(tokens))
            return self.out(h).log_softmax(dim=1)

    return Tagger(), lambda p, y: F.nll_loss(p.reshape(-1, 4), y.reshape(-1)), (torch.randint(20, (6, 7)), torch.randint(4, (6, 7)))


@fault("softmax-wrong-axis")
def one_hot_against_softmax_over_batch():
    def criterion(z, y):
        return -(y * torch.log(torch.softmax(z, 0))).sum(1).mean()

    return mlp(), criterion, (rows(), F.one_hot(labels(), 3).float())


@fault("sigmoid-for-exclusive-classes")
def bce_for_one_of_many():
    return mlp(k=5), nn.BCEWithLogitsLoss(), (rows(), F.one_hot(labels(k=5), 5).float())


@fault("sigmoid-for-exclusive-classes")
def sigmoid_head_picked_by_hand():
    def criterion(z, y):
        return -torch.log(torch.sigmoid(z).gather(1, y[:, None])).mean()

    return mlp(k=4), criterion, (rows(), labels(k=4))


@fault("softmax-for-independent-labels")
def cross_entropy_on_several_labels():
    y = (torch.rand(32, 6) > 0.5).float()
    return mlp(k=6), nn.CrossEntropyLoss(), (rows(), y)


@fault("softmax-for-independent-labels")
def softmax_into_bce_for_tags():
    y = (torch.rand(32, 6) > 0.6).float()
    return mlp(k=6, end=[nn.Softmax(1)]), nn.BCELoss(), (rows(), y)


# ── targets ──


@fault("target-outside-domain")
def pixels_of_255_under_bce():
    x = torch.randint(0, 256, (8, 1, 6, 6)).float()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    return net, nn.BCEWithLogitsLoss(), (x / 255, x)


@fault("target-outside-domain")
def standardised_targets_behind_a_sigmoid():
    return mlp(k=1, end=[nn.Sigmoid()]), nn.MSELoss(), (rows(), torch.randn(32, 1))


@fault("target-outside-domain")
def teacher_logits_as_kl_target():
    net = mlp(k=5, end=[nn.LogSoftmax(dim=1)])
    return net, nn.KLDivLoss(reduction="batchmean"), (rows(), torch.randn(32, 5) * 3)


@fault("signed-labels")
def minus_one_and_one_under_bce():
    return mlp(k=1), F.binary_cross_entropy_with_logits, (rows(), (yes_no() * 2 - 1)[:, None])


@fault("signed-labels")
def minus_one_as_a_class():
    return mlp(k=2), nn.CrossEntropyLoss(), (rows(), labels(k=2) * 2 - 1)


@fault("float-class-indices")
def classes_read_from_a_table_as_floats():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().float())


@fault("float-class-indices")
def classes_as_a_float_column():
    return mlp(), nn.CrossEntropyLoss(), (rows(), labels().float()[:, None])


@fault("broadcast-target")
def column_against_row_mse():
    return mlp(k=1), nn.MSELoss(), (rows(), torch.randn(32))


@fault("broadcast-target")
def column_against_row_by_hand():
    return mlp(k=1), lambda a, y: ((a - y) ** 2).mean(), (rows(), torch.randn(32))


@fault("broadcast-target")
def bce_refuses_a_column():
    return mlp(k=1), nn.BCEWithLogitsLoss(), (rows(), yes_no())


@fault("class-index-out-of-range")
def classes_counted_from_one():
    return mlp(k=4), nn.CrossEntropyLoss(), (rows(), labels(k=4) + 1)


@fault("class-index-out-of-range")
def head_too_small():
    return mlp(k=4), nn.NLLLoss(), (rows(), labels(k=7)), lambda m, b: (F.log_softmax(m(b[0]), 1), b[1])


@fault("class-axis")
def time_before_classes():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

        def forward(self, tokens):
            return self.out(self.emb(tokens))

    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 7)), torch.randint(5, (6, 7)))


@fault("class-axis")
def time_before_classes_and_as_many():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.out = nn.Embedding(20, 8), nn.Linear(8, 5)

        def forward(self, tokens):
            return self.out(self.emb(tokens))

    return Tagger(), nn.CrossEntropyLoss(), (torch.randint(20, (6, 5)), torch.randint(5, (6, 5)))


@fault("class-axis")
def pixels_and_classes_scrambled():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    return net, lambda z, y: F.cross_entropy(z.view(-1, 4), y.view(-1)), (torch.randn(2, 3, 6, 6), torch.randint(4, (2, 6, 6)))


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


# ── numbers ──


@fault("non-finite")
def a_nan_in_the_inputs():
    x = rows()
    x[3, 2] = float("nan")
    return mlp(), nn.CrossEntropyLoss(), (x, labels())


@fault("non-finite")
def square_root_at_zero():
    def criterion(z, y):
        return (z - y).abs().sqrt().mean() + torch.log((z - z.detach()).abs()).mean() * 0

    return mlp(k=1), criterion, (rows(), torch.randn(32, 1))


@fault("untrained-parameters")
def detached_features():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 3)

        def forward(self, x):
            return self.head(self.body(x).detach())

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def layers_in_a_plain_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = [nn.Linear(8, 8) for _ in range(2)]
            self.out = nn.Linear(8, 3)

        def forward(self, x):
            for layer in self.hidden:
                x = torch.relu(layer(x))
            return self.out(x)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("untrained-parameters")
def cost_of_the_decisions():
    return mlp(k=1), lambda z, y: ((z > 0).float() - y).pow(2).mean().requires_grad_(), (rows(), yes_no()[:, None])


@fault("low-precision-cost")
def cost_in_bfloat16():
    return mlp(k=10).bfloat16(), nn.CrossEntropyLoss(), (rows().bfloat16(), labels(k=10))


@fault("large-logits")
def a_temperature_too_small():
    return mlp(k=10), lambda z, y: F.cross_entropy(z / 0.001, y), (rows(), labels(k=10))


@fault("initial-cost")
def weights_drawn_too_wide():
    net = mlp(k=10, hidden=64)
    for p in net.parameters():
        nn.init.normal_(p)
    return net, nn.CrossEntropyLoss(), (rows(), labels(k=10))


@fault("output-bias")
def one_positive_in_a_hundred():
    return mlp(k=1), nn.BCEWithLogitsLoss(), (rows(200), (torch.arange(200) % 100 == 0).float()[:, None])


@fault("output-bias")
def one_class_almost_always():
    y = torch.zeros(200, dtype=torch.long)
    y[::50] = 1
    y[1::60] = 2
    return mlp(), nn.CrossEntropyLoss(), (rows(200), y)


@fault("single-class-batch")
def a_batch_of_one_class():
    return mlp(), nn.CrossEntropyLoss(), (rows(), torch.full((32,), 2))


# ── gain ──


@fault("squared-error-on-squashed-output")
def the_article():
    return (
        nn.Sequential(nn.Linear(1, 1), nn.Sigmoid()),
        nn.MSELoss(),
        (torch.ones(4, 1), torch.tensor([[0.0], [1.0], [0.0], [0.0]])),
    )


@fault("squared-error-on-squashed-output")
def softmax_under_squared_error():
    return mlp(k=4, end=[nn.Softmax(dim=1)]), nn.MSELoss(), (rows(), F.one_hot(labels(k=4), 4).float())


@fault("squared-error-on-squashed-output")
def tanh_by_hand():
    def criterion(a, y):
        return 0.5 * torch.square(y - a).sum(dim=1).mean()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 12), nn.Linear(12, 1)

        def forward(self, x):
            return self.b(self.a(x).tanh()).tanh()

    return Net(), criterion, (rows(), (yes_no() * 2 - 1)[:, None])


@fault("squared-error-on-squashed-output")
def absolute_error_of_a_written_out_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(8, 1)

        def forward(self, x):
            return 1 / (1 + torch.exp(-self.out(x)))

    return Net(), nn.L1Loss(), (rows(), yes_no()[:, None])


@fault("dead-probability-bce")
def probabilities_rounded_to_one():
    net = mlp(k=1, end=[nn.Sigmoid()])
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias.fill_(25.0)
    return net, nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("dead-probability-bce")
def clamped_logarithms():
    def criterion(p, y):
        p = p.clamp(1e-6, 1 - 1e-6)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    net = mlp(k=1, end=[nn.Sigmoid()])
    with torch.no_grad():
        net[2].weight.mul_(0.1)
        net[2].bias.fill_(18.0)
    return net, criterion, (rows(), yes_no()[:, None])


@fault("double-log-softmax")
def log_softmax_then_cross_entropy():
    return mlp(end=[nn.LogSoftmax(dim=1)]), nn.CrossEntropyLoss(), (rows(), labels())


@fault("rectified-logits")
def relu_after_the_last_layer():
    return mlp(k=5, end=[nn.ReLU()]), nn.CrossEntropyLoss(), (rows(), labels(k=5))


# ── layers ──


@fault("saturated-units")
def tanh_far_out():
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    with torch.no_grad():
        net[0].weight.mul_(40)
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("dead-units")
def a_relu_that_is_off():
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    with torch.no_grad():
        net[0].bias.fill_(-20)
    return net, nn.CrossEntropyLoss(), (rows(), labels())


@fault("vanishing-gradient")
def twelve_sigmoids():
    layers = [m for _ in range(12) for m in (nn.Linear(16, 16), nn.Sigmoid())]
    return nn.Sequential(nn.Linear(8, 16), *layers, nn.Linear(16, 3)), nn.CrossEntropyLoss(), (rows(), labels())


@fault("exploding-gradient")
def a_recurrence_that_grows():
    class Rnn(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.rec, self.out = nn.Linear(4, 12), nn.Linear(12, 12), nn.Linear(12, 1)
            with torch.no_grad():
                self.rec.weight.copy_(2.5 * torch.eye(12))

        def forward(self, x):
            h = torch.zeros(len(x), 12)
            for t in range(x.shape[1]):
                h = self.rec(h) + self.inp(x[:, t])
            return self.out(h)

    return Rnn(), nn.MSELoss(), (torch.randn(8, 12, 4), torch.randn(8, 1))
