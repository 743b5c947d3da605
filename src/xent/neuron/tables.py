"""Runs side by side as a table or as plain data, each with a label of its own: what `xent neuron` and the lab give away."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np

from xent.neuron.learning import Run
from xent.outputs import Output

COLUMNS = ("w", "b", "z", "cost", "a", "delta", "gain")


def labels(outputs: Sequence[Output]) -> list[str]:
    """A name for each output; one that comes twice (at two rates, say) is numbered.

    >>> from xent.outputs import output
    >>> labels([output("quadratic"), output("quadratic"), output("hinge")])
    ['quadratic@sigmoid #1', 'quadratic@sigmoid #2', 'hinge@identity']
    """
    names = [str(one) for one in outputs]
    return [name if names.count(name) == 1 else f"{name} #{names[: i + 1].count(name)}" for i, name in enumerate(names)]


def as_data(runs: dict[str, Run]) -> dict[str, Any]:
    """Every run of one sample as plain data."""
    return {
        "runs": [
            {
                "output": str(run.output),
                "x": float(run.x),
                "target": float(run.y),
                "rate": run.rate,
                "steps": run.steps,
                "steps_to_learn": run.steps_to_learn(),
                **{name: np.asarray(getattr(run, name)).tolist() for name in COLUMNS},
            }
            for run in runs.values()
        ]
    }


def as_csv(runs: dict[str, Run]) -> str:
    """One line for every run of one sample and every step."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["output", "target", "rate", "step", *COLUMNS])
    for run in runs.values():
        columns = [np.asarray(getattr(run, name)).tolist() for name in COLUMNS]
        for step, values in enumerate(zip(*columns, strict=True)):
            writer.writerow([str(run.output), f"{float(run.y):g}", f"{run.rate:g}", step, *map(repr, values)])
    return text.getvalue()
