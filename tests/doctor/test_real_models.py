"""Real models, built from configurations without a download: healthy, and with three faults each."""

from __future__ import annotations

import logging
import warnings

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from xent.doctor import diagnose


class Residual(nn.Module):
    """A small residual network for images."""

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.norm2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
            self.short = nn.Sequential() if i == o else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            h = self.relu(self.norm1(self.conv1(x)))
            return self.relu(self.norm2(self.conv2(h)) + self.short(x))

    def __init__(self, end=None, cut=False):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(self.Block(8, 8, 1), self.Block(8, 16, 2), self.Block(16, 32, 2))
        self.pool, self.head, self.end, self.cut = nn.AdaptiveAvgPool2d(1), nn.Linear(32, 5), end or nn.Identity(), cut

    def forward(self, x):
        h = self.pool(self.blocks(self.stem(x))).flatten(1)
        return self.end(self.head(h.detach() if self.cut else h))


class Lstm(nn.Module):
    """A tagger of words."""

    def __init__(self, end=None, transposed=True):
        super().__init__()
        self.words = nn.Embedding(40, 16, padding_idx=0)
        self.rnn = nn.LSTM(16, 24, num_layers=2, batch_first=True, bidirectional=True, dropout=0.2)
        self.out, self.end, self.transposed = nn.Linear(48, 6), end or nn.Identity(), transposed

    def forward(self, words):
        z = self.end(self.out(self.rnn(self.words(words))[0]))
        return z.transpose(1, 2) if self.transposed else z


def transformer():
    """A GPT-2 of two layers, from its configuration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers  # seconds to import

        logging.getLogger("transformers").setLevel(logging.ERROR)
        config = transformers.GPT2Config(
            vocab_size=60, n_positions=24, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0, loss_type="ForCausalLM"
        )
        return transformers.GPT2LMHeadModel(config)


def encoder():
    """A BERT of two layers and its pooler, so small that its first layers get little from its small weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers

        config = transformers.BertConfig(
            vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3
        )
        return transformers.BertForSequenceClassification(config)


class Headed(nn.Module):
    """A head of one's own, which leaves the pooler's answer alone."""

    def __init__(self):
        super().__init__()
        self.body, self.head = encoder().bert, nn.Linear(16, 3)

    def forward(self, input_ids):
        return self.head(self.body(input_ids).last_hidden_state[:, 0])


def labelled():
    import transformers

    return transformers.BatchEncoding({"input_ids": torch.randint(1, 50, (9, 8)), "labels": torch.arange(9) % 3})


def images():
    return torch.randn(10, 3, 12, 12), torch.arange(10) % 5


def words():
    return torch.randint(1, 40, (5, 9)), torch.randint(6, (5, 9))


def tokens():
    ids = torch.randint(60, (3, 12))
    return ids, ids


def next_token(z, ids):
    return F.cross_entropy(z[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def scrambled(z, ids):
    return F.cross_entropy(z.transpose(1, 2).reshape(-1, 60), ids.flatten())


def hot(batch, k):
    return batch[0], F.one_hot(batch[1], k).float()


CASES = {
    "residual network": (None, lambda: (Residual(), nn.CrossEntropyLoss(), images())),
    "residual network, softmax twice": (
        "probabilities-as-logits", lambda: (Residual(nn.Softmax(1)), nn.CrossEntropyLoss(label_smoothing=0.1), images())
    ),
    "residual network, squared error on softmax": (
        "squared-error-on-squashed-output", lambda: (Residual(nn.Softmax(1)), nn.MSELoss(), hot(images(), 5))
    ),
    "residual network, cut off from its head": (
        "untrained-parameters", lambda: (Residual(cut=True), nn.CrossEntropyLoss(), images())
    ),
    "lstm": (None, lambda: (Lstm(), nn.CrossEntropyLoss(ignore_index=0), words())),
    "lstm, classes on the last axis": ("class-axis", lambda: (Lstm(transposed=False), nn.CrossEntropyLoss(), words())),
    "lstm, softmax over time": ("softmax-wrong-axis", lambda: (Lstm(nn.LogSoftmax(dim=1)), nn.NLLLoss(), words())),
    "lstm, nothing but padding": (
        "all-ignored", lambda: (Lstm(), nn.CrossEntropyLoss(ignore_index=0), (words()[0], torch.zeros(5, 9, dtype=torch.long)))
    ),
    "transformer": (None, lambda: (transformer(), next_token, tokens())),
    "transformer, its own cost": (
        None, lambda: (transformer(), None, {"input_ids": tokens()[0], "labels": tokens()[0]})
    ),
    "encoder, its own cost, the tokenizer's batch": (None, lambda: (encoder(), None, labelled())),
    "encoder with a head of one's own": (
        None, lambda: (Headed(), nn.CrossEntropyLoss(), ({"input_ids": labelled()["input_ids"]}, torch.arange(9) % 3))
    ),
    "transformer, softmax twice": (
        "probabilities-as-logits", lambda: (transformer(), lambda z, y: next_token(z.softmax(-1), y), tokens())
    ),
    "transformer, time and classes scrambled": (
        "class-axis", lambda: (transformer(), scrambled, tokens())
    ),
    "transformer, labels beyond the vocabulary": (
        "class-index-out-of-range", lambda: (transformer(), next_token, (tokens()[0], tokens()[1] + 60))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_real_models(name):
    rule, make = CASES[name]
    torch.manual_seed(0)
    model, criterion, batch = make()
    if isinstance(batch, tuple) and "transformer" in name:
        batch = ({"input_ids": batch[0]}, batch[1])
    diagnosis = diagnose(model, criterion, batch, try_cures=False)
    assert {f.rule for f in diagnosis.findings} == ({rule} if rule else set()), str(diagnosis)
    if rule is None:
        assert diagnosis.picture.name == "cross-entropy@softmax"
        assert diagnosis.picture.gain == pytest.approx(1, rel=1e-4)
