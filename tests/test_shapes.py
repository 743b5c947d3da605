"""The shapes in the annotations hold: the doctests and the input tests once more, with jaxtyping and beartype in front.

In a process of its own, because the checker makes every call many times slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKED = [
    "tests/outputs/test_naming.py",
    "src/xent/costs",
    "src/xent/activations",
    "src/xent/outputs",
    "src/xent/neuron",
    "src/xent/arrays.py",
    "src/xent/network/recipe.py",
    "src/xent/data",
    "src/xent/racing/statistics.py",
]
SHAPES = ["-k", "test_elementwise_shapes or test_softmax_shapes or weights or not test_"]


def test_annotated_shapes_hold():
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *CHECKED, "tests/outputs/test_inputs.py", *SHAPES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "XENT_SHAPES": "1"})
    assert done.returncode == 0, done.stdout[-3000:]
