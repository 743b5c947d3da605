"""The teaching notebook: every cell runs in order, and what a notebook would show of its last line can be shown."""

from __future__ import annotations

import ast
import json
from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "examples" / "teaching.ipynb"


def test_every_cell_runs(capsys):
    names: dict[str, object] = {"__name__": "__main__"}
    shown = []
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            body = ast.parse("".join(cell["source"]))
            last = body.body.pop() if isinstance(body.body[-1], ast.Expr) else None
            exec(compile(body, str(NOTEBOOK), "exec"), names)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names))
    printed = capsys.readouterr().out
    assert "start 1: 0.82 → 0.09" in printed
    assert "start 2: 0.98 → 0.20" in printed
    assert "rate 0.15, start 2: 0.98 → 0.01, half way at step 17" in printed
    assert "rate 0.025, start 2: 0.98 → 0.10, half way at step 100" in printed
    assert "cross-entropy@sigmoid    0.0% have not learned" in printed
    drawn = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
    assert len(drawn) == 4
    assert all("<svg" in html for html in drawn)
