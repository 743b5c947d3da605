"""What `xent.torch.watch` costs at its default: the same training with and without; prints the table of docs/doctor.md.

Both run in short turns side by side, so that whatever else the machine does falls on both: the watched one, its twin, and again.
The watch reckons in steps and does not mind. CPU time of this process; entering, leaving and all looks count. Limit: 5 % of the
step time, with looks in every row.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from xent.torch import watch

SECONDS = 25
"""Of each case, watched."""
TURN = 0.1
"""Seconds of each turn."""
LIMIT = 1.05


def perceptron(width: int, rows: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A perceptron of three layers, and a batch."""
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    return model, torch.randn(rows, 64), torch.randint(10, (rows,))


def network() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A convolutional network, and a batch of 32 pictures."""
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    return model, torch.randn(32, 3, 16, 16), torch.randint(10, (32,))


CASES: dict[str, Callable[[], tuple[nn.Module, torch.Tensor, torch.Tensor]]] = {
    "one layer, 8 rows": lambda: (nn.Linear(64, 10), torch.randn(8, 64), torch.randint(10, (8,))),
    "perceptron, 3 layers of 32": lambda: perceptron(32, 64),
    "perceptron, 3 layers of 512": lambda: perceptron(512, 64),
    "convolutional network": network,
}


class Training:
    """A model with its criterion and optimizer, always the same, and the seconds that its steps took."""

    def __init__(self, make: Callable[[], tuple[nn.Module, torch.Tensor, torch.Tensor]]) -> None:
        torch.manual_seed(0)
        self.model, self.x, self.y = make()
        self.criterion, self.optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.seconds = 0.0

    def steps(self, n: int) -> None:
        """Train."""
        began = time.process_time()
        for _ in range(n):
            self.optimizer.zero_grad()
            self.criterion(self.model(self.x), self.y).backward()
            self.optimizer.step()
        self.seconds += time.process_time() - began


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print("| model | µs a step | with watch | looks |\n| --- | --- | --- | --- |")
    for name, make in CASES.items():
        plain, watched = Training(make), Training(make)
        plain.steps(200)
        n = max(1, int(TURN * 200 / plain.seconds))
        turns, plain.seconds = int(SECONDS / TURN), 0.0
        began = time.process_time()
        with watch(watched.model, watched.criterion) as seen:
            watched.seconds += time.process_time() - began
            for _ in range(turns):
                watched.steps(n)
                plain.steps(n)
            began = time.process_time()
        watched.seconds += time.process_time() - began
        ratio = watched.seconds / plain.seconds
        missed = "" if ratio < LIMIT and seen.looks else " (misses the limit)"
        print(f"| {name} | {1e6 * plain.seconds / turns / n:.0f} | × {ratio:.3f}{missed} | {len(seen.looks)} |", flush=True)


if __name__ == "__main__":
    main()
