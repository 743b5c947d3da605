"""The plain formulas, each as one node of Dynamo's graph, whose operations the compiler behind it sees. Loaded while tracing."""

from __future__ import annotations

from typing import Any

import torch

from xent.bindings.torch import criteria, operators
from xent.ops import plain


@torch.compiler.allow_in_graph
def cross_entropy(*arguments: Any) -> Any:
    """The cost and the statistics."""
    asked = operators.problem(*arguments)
    cost, stats = plain.cross_entropy(asked)
    return cost, [stats[name].detach() for name in asked.options.stats]


@torch.compiler.allow_in_graph
def value(name: str, z: torch.Tensor, y: torch.Tensor, axis: int | None) -> Any:
    """The values of an output by its name."""
    return criteria.named(name).value(z, y, axis=axis)
