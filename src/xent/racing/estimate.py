"""What a race will take, before it starts: how long, good to a factor of two or so, and how much memory at least."""

from __future__ import annotations

import os
from pathlib import Path

from xent import texts
from xent.data import Data
from xent.errors import InputError
from xent.racing.plan import Plan

FUSED = 2e10
"""Floating-point operations a second and core. Outputs of the user's own, which have no fused loop, take several times longer."""

STEP, MEASURING, NUMBER = 1.5e-6, 4e-3, 1.2e-7
"""Seconds: what a lane's step takes besides arithmetic; measuring a heat after an epoch; and each number measured."""

STARTING = 6.0
"""Seconds until processes have started and loops are compiled."""

TAUGHT = 9
"""Numbers for each parameter of a lane while it is taught: itself and two that optimisers remember, before, during and after."""


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


def memory(plan: Plan, data: Data) -> int:
    """The least number of bytes that a heat on a processor holds at once: its start, and what its lanes are and answer."""
    recipe, each = plan.recipe, 4 if plan.dtype == "float32" else 8
    held = int(plan.shares[2] * len(data)) * sum(recipe.sizes[1:])
    return 8 * recipe.parameters + each * len(plan.rates) * (TAUGHT * recipe.parameters + held)


def insist_on_memory(plan: Plan, data: Data, jobs: int, language: str = "en") -> None:
    """Raise InputError for a race whose heats, one in each process, do not fit into this machine's memory."""
    heats = len(plan.outputs) * (plan.tuning_seeds if len(plan.rates) > 1 else plan.seeds)
    jobs = min(jobs, heats)
    there, needed = _memory_here(), jobs * memory(plan, data)
    if there is not None and needed > there:
        raise InputError(
            texts.page("race", language)["memory"].format(
                needed=_size(needed), there=_size(there), parameters=f"{plan.recipe.parameters:,}", rates=len(plan.rates), jobs=jobs
            )
        )


def _memory_here() -> int | None:
    """Bytes of memory that this process may have; None where the system does not say."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # as on Windows
        return None
    try:
        return min(found, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such limit
        return found


def _size(size: int) -> str:
    """Bytes as a person counts them.

    >>> _size(3 << 29), _size(728 << 40)
    ('1.5 GiB', '728 TiB')
    """
    number, units = size / 2**30, ["GiB", "TiB", "PiB", "EiB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:.3g} {units[0]}"
