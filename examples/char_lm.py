"""A small character language model, trained with PyTorch's cross-entropy and with xent's from the same start.

    python examples/char_lm.py [steps] [text files …]

The text is this repository's own documents, in English and Chinese, unless files are named. Both models see the same batches, step
by step in turn, so that whatever else the machine does slows both. The curves agree to rounding; what differs is the time that the
cost takes, forward and back to the logits, which is printed beside that of the whole step.
"""

import sys
import time
from pathlib import Path

import torch
from torch import nn

import xent

CONTEXT, BATCH = 8, 2048
DOCUMENTS = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/log.md", "LICENSE")


def read(files):
    """The text as numbers, one for each different character, and how many of them there are."""
    text = "\n".join(Path(f).read_text(encoding="utf-8") for f in files)
    alphabet = {c: i for i, c in enumerate(sorted(set(text)))}
    return torch.tensor([alphabet[c] for c in text]), len(alphabet)


class Model(nn.Sequential):
    """The last characters in, a logit for each character that may come next out."""

    def __init__(self, classes, width=16, hidden=128):
        torch.manual_seed(0)
        super().__init__(
            nn.Embedding(classes, width), nn.Flatten(), nn.Linear(CONTEXT * width, hidden), nn.Tanh(), nn.Linear(hidden, classes)
        )
        self.optimiser = torch.optim.Adam(self.parameters(), lr=3e-3)
        self.costs, self.cost_seconds, self.seconds = [], 0.0, 0.0

    def step(self, cross_entropy, x, y):
        """One step of training; the gradient is handed over at the logits, so that the cost can be timed by itself."""
        start = time.perf_counter()
        self.optimiser.zero_grad()
        z = self(x)
        logits = z.detach().requires_grad_()
        before = time.perf_counter()
        cost = cross_entropy(logits, y)
        cost.backward()
        self.cost_seconds += time.perf_counter() - before
        z.backward(logits.grad)
        self.optimiser.step()
        self.seconds += time.perf_counter() - start
        self.costs.append(cost.item())


def train(steps, files):
    """Both models after so many steps."""
    text, classes = read(files)
    models = {"PyTorch": (Model(classes), nn.functional.cross_entropy), "xent": (Model(classes), xent.torch.cross_entropy)}
    print(f"{len(text)} characters, {classes} different; batches of {BATCH}, a context of {CONTEXT}")
    batches = torch.Generator().manual_seed(1)
    windows = torch.arange(CONTEXT + 1)
    xent.torch.cross_entropy(torch.zeros(2, classes, requires_grad=True), torch.tensor([0, 1]))  # the kernel is compiled here
    for step in range(steps):
        at = torch.randint(len(text) - CONTEXT, (BATCH, 1), generator=batches)
        window = text[at + windows]
        for name in list(models)[:: 1 if step % 2 else -1]:
            model, cross_entropy = models[name]
            model.step(cross_entropy, window[:, :-1], window[:, -1])
        if step % max(1, steps // 8) == 0 or step == steps - 1:
            print(f"step {step:4d}   " + "   ".join(f"{name} {model.costs[-1]:.6f}" for name, (model, _) in models.items()))
    return {name: model for name, (model, _) in models.items()}


def main(steps=200, *files):
    files = files or [Path(__file__).parents[1] / name for name in DOCUMENTS]
    theirs, ours = train(int(steps), files).values()
    apart = max(abs(a - b) / a for a, b in zip(theirs.costs, ours.costs, strict=True))
    print(f"the curves differ by at most {apart:.1g} of the cost")
    for name, model in (("PyTorch", theirs), ("xent", ours)):
        each = 1000 / len(model.costs)
        print(f"{name:8} {model.seconds * each:6.2f} ms a step, {model.cost_seconds * each:6.2f} ms of them in the cost")
    cost, step = theirs.cost_seconds / ours.cost_seconds, theirs.seconds / ours.seconds
    print(f"PyTorch's time over xent's: {cost:.2f} in the cost, {step:.2f} in the step")


if __name__ == "__main__":
    main(*sys.argv[1:])
