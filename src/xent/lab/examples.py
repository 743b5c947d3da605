"""Code that computes an output, to copy and run as it stands: xent's on NumPy and PyTorch, and what other libraries have."""

from __future__ import annotations

from typing import Any

from xent.lab.own import Own
from xent.outputs import Output, curves

DELTA = ("cost.sum().backward()", "print(cost.detach(), z.grad)  # C and δ")


def ours(shown: Output, own: Own) -> list[dict[str, str]]:
    """xent's code for it, as `explaining` lists that of others."""
    return [
        {"library": "NumPy", "name": "xent", "line": _numpy(shown, own), "note": ""},
        {"library": "PyTorch", "name": "xent.torch.Criterion", "line": _criterion(shown, own), "note": ""},
    ]


def theirs(shown: Output, code: dict[str, Any]) -> dict[str, Any]:
    """Another library's code, its line made into something that runs."""
    return code | {"line": {"PyTorch": _pytorch, "scikit-learn": _scikit}[code["library"]](shown, code["line"])}


def _numpy(shown: Output, own: Own) -> str:
    """The output on NumPy arrays, at two samples."""
    z, y = _samples(shown)
    made = own.code(shown)
    return "\n".join([
        *own.imports([shown]), "import numpy as np", "import xent", "", f"z, y = np.asarray({z}), np.asarray({y})",
        f"output = {made if own.behind(shown) else f'xent.output({made})'}",
        "print(output.value(z, y), output.delta(z, y), output.gain(z, y))",
    ])  # fmt: skip


def _criterion(shown: Output, own: Own) -> str:
    """The same as a criterion of PyTorch."""
    z, y = _samples(shown)
    return "\n".join([
        *own.imports([shown]), "import torch", "import xent.torch", "",
        f"z = torch.tensor({z}, requires_grad=True)", f"y = torch.tensor({y})",
        f'criterion = xent.torch.Criterion({own.code(shown)}, reduction="none")', "cost = criterion(z, y)", *DELTA,
    ])  # fmt: skip


def _pytorch(shown: Output, line: str) -> str:
    """The same by PyTorch's own functions."""
    z, y = _samples(shown)
    return "\n".join([
        "import torch", "from torch.nn import functional as F", "",
        f"z = torch.tensor({z}, requires_grad=True)", f"y = torch.tensor({y})", f"cost = {line}", *DELTA,
    ])  # fmt: skip


def _scikit(shown: Output, line: str) -> str:
    """The model of scikit-learn that learns with this cost."""
    return f"import {line.partition('(')[0].rpartition('.')[0]}\n\nmodel = {line}"


def _samples(shown: Output) -> tuple[str, str]:
    """Inputs and targets for an example: two samples, one of them wrong."""
    if shown.activation.vector:
        return "[[2.0, 1.0, -0.5], [0.0, 3.0, 1.0]]", "[1, 1]"
    return "[2.0, 2.0]", str([*curves.hard_targets(shown)])
