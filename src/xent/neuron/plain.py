"""Many neurons at once, as the maths says it: w, b, x, y and δ are whole arrays, of any library. The twin of `cpu`."""

from __future__ import annotations

from typing import Any

from xent.arrays import Array, quiet
from xent.outputs import Output


def sweep(
    w: Array, b: Array, x: Array, y: Array, output: Output, rate: float | Array, steps: int, learned: float, xp: Any
) -> tuple[Array, Array, Array, Array]:
    """Gradient descent on every neuron: (a, w, b) at the end, and the first step with |error| < learned, −1 where none has it.

    x, y and rate have w's shape or none.
    """
    y = xp.broadcast_to(y, w.shape)
    first = xp.astype(xp.zeros_like(w), xp.int32) - 1
    with quiet():
        for step in range(steps + 1):
            z = x * w + b
            first = xp.where((first < 0) & (xp.abs(output.error(z, y)) < learned), step, first)
            if step < steps:
                delta = output.delta(z, y)
                w, b = w - rate * (delta * x), b - rate * delta
        return output.predict(z), w, b, xp.astype(first, xp.int32)
