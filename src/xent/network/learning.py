"""Who teaches the lanes: the fused loop where there is one for every output, its plain twin for everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from xent.arrays import Array, library
from xent.network import plain
from xent.network.plain import State
from xent.network.recipe import Recipe
from xent.outputs import Output

Learner: TypeAlias = Callable[..., State]


def learner(recipe: Recipe, x: Array, outputs: Sequence[tuple[Output, slice]]) -> Learner:
    """`cpu.learn` or `plain.learn`, which take the same and return the same to rounding."""
    if library(x) != "numpy":
        return plain.learn
    from xent.network import cpu  # Numba is loaded when first used

    return cpu.learn if all(cpu.knows(output, recipe) for output, _ in outputs) else plain.learn
