"""The cost or output that is checked, called as its users will call it: any error of its own is caught and told.

Arrays go in as NumPy's, or as PyTorch's or JAX's where the code takes or returns nothing else; numbers come back as NumPy's.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xent.activations import Activation
from xent.arrays import Array, library, quiet
from xent.checking.findings import Evidence, Finding
from xent.costs import Cost
from xent.outputs import Output
from xent.outputs.smoothed import Smoothed

_METHODS = {"cost": ("cost", "__call__"), "slope": ("cost", "slope"), "value": ("output", "value"), "delta": ("output", "delta")}

_LIBRARIES: dict[str, Callable[[Array], Any]] = {
    "numpy": np.array,
    "torch": lambda x: sys.modules["torch"].asarray(x),
    "jax": lambda x: sys.modules["jax"].numpy.asarray(x),
}
"""The libraries that a user's code may be written for, tried in this order; only one that is loaded already can be it."""


def _wide() -> AbstractContextManager[Any]:
    """JAX in 64 bits, if it is there: without them it has no float64 to check with."""
    jax = sys.modules.get("jax")
    if jax is None:
        return nullcontext()
    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    context: AbstractContextManager[Any] = enable(True)
    return context


class Trouble(Exception):  # noqa: N818 - it carries a finding, and is none of a user's business
    """A finding that ends the look at one function."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


@dataclass(frozen=True)
class Subject:
    """What is checked: a cost on an activation, or an output with forms of its own."""

    output: Output

    @property
    def cost(self) -> Cost:
        return self.output.cost

    @property
    def activation(self) -> Activation:
        return self.output.activation

    @property
    def vector(self) -> bool:
        return self.activation.vector

    @cached_property
    def own_value(self) -> bool:
        """Whether the output has a formula of its own for the value, the chain rule's left aside."""
        return self._own("_value") or self._own("value")

    @cached_property
    def own_delta(self) -> bool:
        return self._own("_delta") or self._own("delta")

    def _own(self, name: str) -> bool:
        closed = self.output.beneath if isinstance(self.output, Smoothed) else self.output  # a smoothing only hands the target on
        return getattr(type(closed), name) is not getattr(Output, name)

    @cached_property
    def lib(self) -> str:
        """The array library that the code works with: NumPy, unless it takes or returns another's arrays only."""
        x = np.full((2, 3) if self.vector else (2,), 1 / 3)
        for name, make in _LIBRARIES.items():
            if name not in sys.modules:
                continue
            try:
                with _wide():
                    given = make(x)
                if library(self.call(self.cost, given, given)).startswith(name):
                    return name
            except Exception:  # it is told when it is called in earnest
                continue
        return "numpy"

    def make(self, x: Array) -> Any:
        """A fresh array of the subject's library."""
        with _wide():
            return _LIBRARIES[self.lib](np.array(x))

    @staticmethod
    def back(x: Any) -> Array:
        """The numbers of an array of any library, as NumPy's."""
        return np.asarray(x.detach().cpu().numpy() if library(x) == "torch" else x)

    @staticmethod
    def call(f: Callable[..., Any], *arrays: Any) -> Any:
        """What f returns, its warnings left aside."""
        with quiet(), _wide(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f(*arrays)

    def raw(self, what: str, x: Any, y: Any) -> Any:
        """What the function returns as it is: cost, slope (of answers) or value, delta (of weighted inputs)."""
        owner, method = _METHODS[what]
        f = getattr(getattr(self, owner), method)
        try:
            return self.call(f, x, y)
        except Exception as error:
            message = (str(error).strip().splitlines() or [""])[0]
            shape = tuple(np.shape(x))
            told = f"{type(error).__name__}: {message}" if message else type(error).__name__
            raise Trouble(Finding("raises", Evidence(came=told), (("what", what), ("shape", str(shape))))) from error

    def ask(self, what: str, x: Array, y: Array) -> Array:
        """The numbers that the function returns."""
        return self.back(self.raw(what, self.make(x), self.make(y)))

    def predict(self, z: Array) -> Array:
        """a = σ(z)."""
        return self.back(self.call(self.activation, self.make(z)))

    def pullback(self, a: Array, g: Array) -> Array:
        """∂C/∂z of ∂C/∂a."""
        return self.back(self.call(self.activation.pullback, self.make(a), self.make(g)))

    def aim(self, y: Array) -> Array:
        """The target that the cost really uses."""
        return self.back(self.call(self.cost.aim, self.make(y)))

    def per_row(self, terms: Array, like: Array) -> Array:
        """One cost for each sample."""
        return terms.sum(axis=-1) if self.vector and terms.shape == like.shape else terms

    def total_cost(self, a: Array, y: Array) -> Array:
        """C of each sample."""
        return self.per_row(self.ask("cost", a, y), a)

    def place(self, x: Array) -> float | tuple[float, ...]:
        """A point as evidence shows it."""
        return tuple(float(v) for v in x) if np.ndim(x) else float(x)
