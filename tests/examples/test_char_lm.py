"""examples/char_lm.py: the two curves are one, and it learns."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "char_lm.py"


def test_the_curves_are_the_same(capsys):
    example = runpy.run_path(str(EXAMPLE))
    example["main"](12, EXAMPLE)
    printed = capsys.readouterr().out
    curve = [tuple(map(float, pair)) for pair in re.findall(r"PyTorch (\d\.\d+) +xent (\d\.\d+)", printed)]
    assert len(curve) == 12
    assert all(abs(a - b) < 1e-4 * a for a, b in curve)
    assert curve[-1][1] < 0.95 * curve[0][1]
    assert "in the cost" in printed
