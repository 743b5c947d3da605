"""How long a race will take, before it starts: a guess from the work that it is, good to a factor of two or so."""

from __future__ import annotations

from xent.data import Data
from xent.racing.plan import Plan

FUSED = 2e10
"""Floating-point operations a second and core. Outputs of the user's own, which have no fused loop, take several times longer."""

STEP, MEASURING, NUMBER = 1.5e-6, 4e-3, 1.2e-7
"""Seconds: what a lane's step takes besides arithmetic; measuring a heat after an epoch; and each number measured."""

STARTING = 6.0
"""Seconds until processes have started and loops are compiled."""


def lanes(plan: Plan) -> tuple[int, int]:
    """(lanes to tune, lanes to judge), growth of the grid left aside."""
    sides = len(plan.outputs)
    tuned = sides * len(plan.rates) * plan.tuning_seeds if len(plan.rates) > 1 or plan.goal is None else 0
    return tuned, sides * plan.seeds * (2 if len(plan.rates) > 1 else 1)


def lane_steps(plan: Plan, data: Data) -> int:
    """Steps of all lanes together."""
    return sum(lanes(plan)) * plan.epochs * max(1, int(plan.shares[0] * len(data)) // plan.batch)


def seconds(plan: Plan, data: Data, jobs: int) -> float:
    """The guess for so many processes."""
    recipe = plan.recipe
    flops = 6 * recipe.parameters * plan.batch * lane_steps(plan, data)
    held = plan.shares[2] * len(data) * plan.classes
    measured = sum(lanes(plan)) * plan.epochs
    work = flops / FUSED + STEP * lane_steps(plan, data) + measured * (MEASURING / 2 + NUMBER * held * 2)
    return STARTING + work / jobs
