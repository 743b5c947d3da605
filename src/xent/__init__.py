"""xent: how hard a wrong answer pushes back. The cross-entropy cost and its rivals, exact, compared and explained.

The names below are loaded when first used, so that `import xent` stays light; the idea in one line: what comes from the
truth y and the answer a = σ(z) is δ = ∂C/∂z = (a − y)·gain, and everything here is about that gain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xent import data as data
    from xent.activations import Activation as Activation
    from xent.bindings import cross_entropy as cross_entropy
    from xent.bindings import cross_entropy_and_grad as cross_entropy_and_grad
    from xent.bindings import linear_cross_entropy as linear_cross_entropy
    from xent.bindings import linear_cross_entropy_and_grad as linear_cross_entropy_and_grad
    from xent.checking import Check as Check
    from xent.checking import check_cost as check_cost
    from xent.costs import Cost as Cost
    from xent.errors import XentError as XentError
    from xent.neuron import Neuron as Neuron
    from xent.neuron import Run as Run
    from xent.neuron import Sweep as Sweep
    from xent.neuron import sweep as sweep
    from xent.outputs import Output as Output
    from xent.outputs import catalogue as catalogue
    from xent.outputs import output as output
    from xent.racing import Race as Race
    from xent.racing import race as race

__version__ = "0.1.0"

_HOMES = {
    "XentError": "xent.errors",
    "Activation": "xent.activations",
    "Cost": "xent.costs",
    "Output": "xent.outputs",
    "output": "xent.outputs",
    "catalogue": "xent.outputs",
    "Neuron": "xent.neuron",
    "Run": "xent.neuron",
    "Sweep": "xent.neuron",
    "sweep": "xent.neuron",
    "Check": "xent.checking",
    "check_cost": "xent.checking",
    "race": "xent.racing",
    "Race": "xent.racing",
    "cross_entropy": "xent.bindings",
    "cross_entropy_and_grad": "xent.bindings",
    "linear_cross_entropy": "xent.bindings",
    "linear_cross_entropy_and_grad": "xent.bindings",
}

_MODULES = ("data", "jax", "torch")
"""Rooms that are called by their names; `jax` and `torch` load those libraries when something in them is used."""

__all__ = ["__version__", *_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"xent.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'xent' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)  # to find it anew takes as long as a small batch's kernel
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
