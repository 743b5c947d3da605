"""Millions of neurons that learn at once, each with its own start: what `xent.sweep` returns, and who computes it.

NumPy arrays with an output of the catalogue go to `cpu`, where all steps are fused into one loop; everything else goes to its
twin `plain`: other libraries' arrays, and costs of the user's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Float, Int

from xent.arrays import Array, Numbers, as_array, library, namespace, quiet
from xent.errors import InputError, ShapeError
from xent.neuron import plain
from xent.neuron.inputs import numbers, positive, whole
from xent.outputs import Output
from xent.outputs import output as output_named

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Sweep:
    """What many neurons came to: a, w and b after the last step, and the first step at which each had learned, −1 for never.

    A neuron has learned when the size of its error (`Output.error`) is below `learned`; step 0 is the start.
    """

    output: Output
    rate: float | Array
    steps: int
    learned: float
    a: Float[Any, "*n"]
    w: Float[Any, "*n"]
    b: Float[Any, "*n"]
    steps_to_learn: Int[Any, "*n"]

    def figure(self, *, theme: str = "light", language: str = "en") -> Figure:
        """The share of the neurons that have learned by each step, as a matplotlib figure."""
        from xent import figures

        return figures.draw_sweep(self, theme=theme, language=language)

    def _repr_html_(self) -> str:
        """The figure, where a notebook shows the sweep."""
        from xent import figures

        return figures.svg(self.figure())


def sweep(
    w: Numbers,
    b: Numbers,
    x: Numbers,
    y: Numbers,
    *,
    output: str | Output = "cross-entropy@sigmoid",
    rate: float | Array = 0.15,
    steps: int = 300,
    learned: float = 0.1,
) -> Sweep:
    """Gradient descent of one neuron per element of w and b, all at once: step for step what `Neuron.learn` does with each.

    w and b have one shape, of any number of axes; x, y and rate are one number for all neurons, or one for each (w's shape).

    >>> import numpy as np
    >>> many = sweep(np.asarray([0.6, 2.0]), np.asarray([0.9, 2.0]), 1.0, 0.0, output="quadratic@sigmoid")
    >>> many.a.round(2)  # the article's two neurons
    array([0.09, 0.2 ])
    """
    output = output_named(output)
    if output.activation.vector:
        raise InputError(f"a neuron has one output, and {output} needs one per class: use {output.cost.name}@sigmoid.")
    steps, learned = whole("steps", steps), positive("learned", learned)
    if steps >= 2**31:
        raise InputError(f"steps are counted in 32 bits, so there are fewer than 2³¹ of them, but {steps} came.")
    xp = namespace(w, b, x, y, rate)
    w, b = numbers("w", w, xp), numbers("b", b, xp)
    if w.shape != b.shape:
        raise ShapeError(f"a sweep has one neuron per element of w and b, which have one shape, but {tuple(w.shape)} and "
                         f"{tuple(b.shape)} came. Nothing is broadcast; reshape one of them.")  # fmt: skip
    dtype = xp.result_type(w, b)
    w, b = xp.astype(w, dtype, copy=False), xp.astype(b, dtype, copy=False)
    x, y = (_for_each(name, numbers(name, as_array(v, xp, w), xp), w, xp) for name, v in (("x", x), ("y", y)))
    output.delta(xp.zeros_like(y), y)  # a wrong target is refused once, where it stands
    rate = _rates(rate, w, xp)
    compute = _computer(output, w, x, rate, xp)
    return Sweep(output, rate, steps, learned, *compute(w, b, x, y, output, rate, steps, learned, xp))


def _computer(output: Output, w: Array, x: Array, rate: float | Array, xp: Any) -> Callable[..., tuple[Array, Array, Array, Array]]:
    """The fused loop where there is one, else its plain twin."""
    with quiet():
        tame = library(w) == "numpy" and bool(xp.all(xp.isfinite(xp.asarray(rate, dtype=w.dtype) * x)))
    if not tame:  # the fused loop multiplies them beforehand
        return plain.sweep
    from xent.neuron import cpu  # Numba is loaded when first used

    return cpu.sweep if cpu.knows(output) else plain.sweep


def _for_each(name: str, v: Array, w: Array, xp: Any) -> Array:
    """One number for all neurons or one for each, of w's dtype."""
    if v.ndim and v.shape != w.shape:
        raise ShapeError(
            f"{name} is one number for all neurons or one for each, an array of the shape of w, {tuple(w.shape)}, "
            f"but its shape is {tuple(v.shape)}."
        )
    return xp.astype(v, w.dtype)


def _rates(rate: float | Array, w: Array, xp: Any) -> float | Array:
    """A positive finite number, or one for each neuron."""
    if not getattr(rate, "ndim", 0):
        return positive("rate", rate.item() if hasattr(rate, "item") else rate)
    rates = _for_each("rate", numbers("rate", rate, xp), w, xp)
    if not bool(xp.all(rates > 0)):
        raise InputError(f"rate is a positive finite number, or one for each neuron, but {float(xp.min(rates))!r} is among them.")
    return rates
