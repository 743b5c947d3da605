"""Answers and logarithms where logits are wanted, and logits that cannot say everything."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from .. import fault
from ..parts import Ending, labels, masks, mlp, rows, segmenter, several, softmax, yes_no


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


@fault("double-log-softmax")
def log_softmax_then_cross_entropy():
    return mlp(end=[nn.LogSoftmax(dim=1)]), nn.CrossEntropyLoss(), (rows(), labels())


@fault("rectified-logits")
def relu_after_the_last_layer():
    return mlp(k=5, end=[nn.ReLU()]), nn.CrossEntropyLoss(), (rows(), labels(k=5))


@fault("probabilities-as-logits")
def softmax_returned_beside_other_things():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, x):
            z = self.f(x)
            return {"probs": F.softmax(z, 1), "hidden": z.detach()}

    return Net(), lambda out, y: F.cross_entropy(out["probs"], y), (rows(), labels(k=4))


@fault("probabilities-as-logits")
def softmax_with_cross_entropy_by_hand():
    def criterion(p, y):
        return -F.log_softmax(p, dim=1).gather(1, y.view(-1, 1)).mean()

    return mlp(end=[nn.Softmax(1)]), criterion, (rows(), labels())


@fault("probabilities-as-logits")
def tagger_with_softmax_and_padding():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.rnn, self.out = (
                nn.Embedding(30, 8),
                nn.LSTM(8, 8, batch_first=True, bidirectional=True),
                nn.Linear(16, 5),
            )

        def forward(self, t):
            h, _ = self.rnn(self.emb(t))
            return torch.softmax(self.out(h), -1)

    def criterion(p, y):
        return F.cross_entropy(p.permute(0, 2, 1), y, ignore_index=-1)

    y = torch.randint(5, (4, 6))
    y[:, 4:] = -1
    return Tagger(), criterion, (torch.randint(30, (4, 6)), y)


@fault("probabilities-as-logits")
def own_cost_inside_of_the_model():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.sm, self.ce = mlp(), nn.Softmax(dim=-1), nn.CrossEntropyLoss()

        def forward(self, x, y):
            p = self.sm(self.f(x))
            return self.ce(p, y), p

    return Own(), None, (rows(), labels())


@fault("probabilities-as-logits")
def in_place_sigmoid():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            return self.f(x).sigmoid_()

    return Net(), F.binary_cross_entropy_with_logits, (rows(), yes_no()[:, None])


@fault("rectified-logits")
def functional_relu_on_the_logit():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, x):
            return F.relu(self.b(F.relu(self.a(x))))[:, 0]

    return Net(), nn.BCEWithLogitsLoss(), (rows(), yes_no())


@fault("probabilities-as-logits")
def softmax_then_dropout():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp()

        def forward(self, x):
            return F.dropout(F.softmax(self.f(x), 1), 0.1)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def yes_and_no_side_by_side():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=1)

        def forward(self, x):
            p = torch.sigmoid(self.f(x))
            return torch.cat([1 - p, p], dim=1)

    return Net(), nn.CrossEntropyLoss(), (rows(), labels(k=2))


@fault("probabilities-as-logits")
def probabilities_averaged_over_time():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(8, 3)

        def forward(self, x):
            return self.f(x).softmax(-1).mean(dim=1)

    return Net(), nn.CrossEntropyLoss(), (torch.randn(32, 5, 8), labels())


@fault("probabilities-as-logits")
def a_sigmoid_written_with_tanh():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = segmenter()

        def forward(self, x):
            return 0.5 * (1 + torch.tanh(self.net(x) / 2))

    return Net(), F.binary_cross_entropy_with_logits, masks()


@fault("probabilities-as-logits")
def a_softmax_divided_by_a_temperature():
    def criterion(z, y):
        return -(F.log_softmax(z.softmax(1) / 0.5, 1) * F.one_hot(y, 3)).sum(1).mean()

    return mlp(), criterion, (rows(), labels())


@fault("rectified-logits")
def softplus_before_a_sigmoid():
    return mlp(k=4, end=[nn.Softplus()]), nn.BCEWithLogitsLoss(), (rows(), several())


@fault("rectified-logits")
def relu_before_a_sigmoid():
    return mlp(k=1, end=[nn.ReLU(), nn.Sigmoid()]), nn.BCELoss(), (rows(), yes_no()[:, None])


@fault("bounded-logits")
def tanh_before_cross_entropy():
    return mlp(k=5, end=[nn.Tanh()]), nn.CrossEntropyLoss(), (rows(), labels(k=5))


@fault("bounded-logits")
def a_sigmoid_between_minus_two_and_two():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = mlp(k=4)

        def forward(self, x):
            return F.log_softmax(4 * torch.sigmoid(self.f(x)) - 2, dim=-1)

    return Net(), F.nll_loss, (rows(), labels(k=4))


@fault("probabilities-as-logits")
def softmax_of_the_nodes_that_have_labels():
    def cost(model, batch):
        answers, known = model(batch["x"]), batch["known"]
        return F.cross_entropy(answers[known], batch["y"][known])

    return Ending(softmax), None, {"x": rows(), "y": labels(), "known": torch.rand(32) > 0.3}, cost


@fault("probabilities-as-logits")
def exponentials_normalised_to_one():
    return Ending(lambda z: F.normalize(z.exp(), p=1, dim=1)), nn.CrossEntropyLoss(), (rows(), labels())


@fault("probabilities-as-logits")
def a_sigmoid_under_a_margin_cost():
    return Ending(torch.sigmoid, k=1), nn.SoftMarginLoss(), (rows(), 2 * yes_no()[:, None] - 1)


@fault("rectified-logits")
def logits_times_their_sign():
    return Ending(lambda z: z * (z > 0)), nn.CrossEntropyLoss(), (rows(), labels())
