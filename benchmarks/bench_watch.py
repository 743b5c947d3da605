"""What `xent.torch.watch` costs at its default: the same loop with and without, turn about; prints the table of docs/doctor.md.

CPU time of this process, so that others on the machine do not count. Limit: 5 % of the step time.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from xent.torch import watch

ROUNDS = 5
SECONDS = 6
"""Of each run: long enough for `watch` to look a few times."""
CASES = {"perceptron, 3 layers of 32": 32, "perceptron, 3 layers of 512": 512}


def training(width: int) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """A model, its criterion and optimizer, always the same."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    return model, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.01)


def steps(model: nn.Module, criterion: nn.Module, optimizer: torch.optim.Optimizer, n: int) -> float:
    """Seconds of n steps."""
    x, y = torch.randn(64, 64), torch.randint(10, (64,))
    began = time.process_time()
    for _ in range(n):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| model | µs a step | with watch | looks |\n| --- | --- | --- | --- |")
    for name, width in CASES.items():
        plain, ratios, looks = [], [], 0
        n = int(SECONDS * 200 / steps(*training(width), 200))
        for _ in range(ROUNDS):
            bare = steps(*training(width), n)
            model, criterion, optimizer = training(width)
            with watch(model, criterion) as seen:
                watched = steps(model, criterion, optimizer, n)
                looks = len(seen.looks)
            plain.append(bare / n)
            ratios.append(watched / bare)
        print(f"| {name} | {1e6 * statistics.median(plain):.0f} | × {statistics.median(ratios):.3f} | {looks} |")


if __name__ == "__main__":
    main()
