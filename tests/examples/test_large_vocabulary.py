"""The example without logits learns as the one with all of them, and needs a fraction of its memory."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "large_vocabulary.py"


def test_the_curves_agree(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("Colourless green ideas sleep furiously. 无色的绿色念头狂怒地睡觉。", encoding="utf-8")
    example = runpy.run_path(str(EXAMPLE))
    args = argparse.Namespace(text=text, vocabulary=300, words=64, steps=3)
    theirs, ours = (example["train"](name, args)["costs"] for name in example["COSTS"])
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert ours[-1] < ours[0]


@pytest.mark.slow
def test_the_peak_is_as_much_lower_as_the_readme_says(capsys):
    theirs, ours = runpy.run_path(str(EXAMPLE))["main"]([]).values()
    assert theirs["grown"] / ours["grown"] > 9
    assert "times lower" in capsys.readouterr().out
