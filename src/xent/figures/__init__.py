"""What a person looks at: the figures of the article's report, of any run and sweep, of any output, and of a race.

Stands on `article`, `racing`, `neuron`, `outputs` and `doctor`; does no maths of its own. What shows a diagnosis is loaded when it
is used, since it needs PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xent.figures.article import ARTICLE as ARTICLE
from xent.figures.article import draw as draw
from xent.figures.maps import draw_map as draw_map
from xent.figures.maps import draw_sweep as draw_sweep
from xent.figures.outputs import draw_activation as draw_activation
from xent.figures.outputs import draw_output as draw_output
from xent.figures.overlay import draw_outputs as draw_outputs
from xent.figures.race import draw_race as draw_race
from xent.figures.race import draw_race_part as draw_race_part
from xent.figures.runs import draw_runs as draw_runs
from xent.figures.style import save as save
from xent.figures.style import svg as svg

if TYPE_CHECKING:
    from xent.figures.doctor import draw_diagnosis as draw_diagnosis
    from xent.figures.doctor import draw_trial as draw_trial


def __getattr__(name: str) -> Any:
    if name not in ("draw_diagnosis", "draw_trial"):
        raise AttributeError(f"module 'xent.figures' has no attribute {name!r}")
    return getattr(import_module("xent.figures.doctor"), name)
