"""A language model with a large vocabulary, trained through all of its logits and without ever holding them: curve, memory, time.

    python examples/large_vocabulary.py [TEXT] [--vocabulary 32000] [--words 4096] [--steps 5]

Both train from the same start on the same batches, each in a process of its own, so that the peak of memory is its own: how far the
process grew while it trained, beyond what it held after one step on a few words.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

import xent.torch

WIDTH, CONTEXT = 256, 4
COSTS = {
    "all the logits": lambda hidden, weight, target: nn.functional.cross_entropy(hidden @ weight.T, target),
    "xent, in chunks": xent.torch.linear_cross_entropy,
}


def words(text: str, vocabulary: int) -> torch.Tensor:
    """The text as numbers: each pair of characters is a word, counted into the vocabulary."""
    return torch.tensor([(65_537 * ord(a) + ord(b)) % vocabulary for a, b in pairwise(text)])


class Model(nn.Module):
    """The last words in, what the next one is known by out; the last layer belongs to the cost."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(vocabulary, WIDTH // CONTEXT)
        self.body = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())
        self.weight = nn.Parameter(torch.randn(vocabulary, WIDTH) / WIDTH**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(self.embedding(x).flatten(1))


def peak() -> int:
    """The most that this process has ever held, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, where what getrusage says begins with all that the parent process held
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def train(name: str, args: argparse.Namespace) -> dict[str, object]:
    """The costs of the steps, how far memory grew beyond the small first step, and the seconds that the steps took."""
    text = words(args.text.read_text(encoding="utf-8"), args.vocabulary)
    model, draw = Model(args.vocabulary), torch.Generator().manual_seed(1)
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    costs = []
    for step in range(-1, args.steps):
        at = torch.randint(len(text) - CONTEXT, (8 if step < 0 else args.words, 1), generator=draw)
        window = text[at + torch.arange(CONTEXT + 1)]
        optimiser.zero_grad(set_to_none=False)
        cost = COSTS[name](model(window[:, :-1]), model.weight, window[:, -1])
        cost.backward()
        optimiser.step()
        costs.append(cost.item())
        if step < 0:
            before, start = peak(), time.perf_counter()
    return {"costs": costs[1:], "grown": peak() - before, "seconds": time.perf_counter() - start}


def main(arguments: list[str] | None = None) -> dict[str, dict[str, object]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=Path(__file__).parents[1] / "docs" / "log.md")
    for option, default in (("vocabulary", 32_000), ("words", 4096), ("steps", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--only", choices=COSTS, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.only:
        print(json.dumps(train(args.only, args)))
        return {}
    given = [str(args.text), f"--vocabulary={args.vocabulary}", f"--words={args.words}", f"--steps={args.steps}"]
    found = {}
    print(f"{args.words:,} words a step, a vocabulary of {args.vocabulary:,}: the logits of a step are "
          f"{4 * args.words * args.vocabulary / 2**20:,.0f} MiB")  # fmt: skip
    for name in COSTS:
        command = [sys.executable, __file__, *given, "--only", name]
        found[name] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        grown, each = found[name]["grown"] / 2**20, found[name]["seconds"] / args.steps
        print(f"{name:16} cost {found[name]['costs'][0]:.4f} → {found[name]['costs'][-1]:.4f}, "
              f"{grown:7,.0f} MiB at the peak, {each:.2f} s a step")  # fmt: skip
    theirs, ours = found.values()
    apart = max(abs(a - b) / a for a, b in zip(theirs["costs"], ours["costs"], strict=True))
    print(f"the curves differ by at most {apart:.1g} of the cost; the peak is {theirs['grown'] / ours['grown']:.1f} times lower")
    return found


if __name__ == "__main__":
    main()
