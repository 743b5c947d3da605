"""The neuron of the article: a = σ(w·x + b), taught by gradient descent, every step kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xent.activations import Activation
from xent.arrays import Array, Numbers, namespace, quiet, total
from xent.errors import InputError, ShapeError
from xent.neuron.inputs import numbers, positive, whole
from xent.outputs import Output
from xent.outputs import output as output_named
from xent.outputs.naming import read_activation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STEPS = 1_000_000
"""Steps of one run: all of them are kept."""


@dataclass(frozen=True)
class Run:
    """What one neuron did: every quantity at every step, index 0 the start. The first axis has length steps + 1.

    w (steps+1,) or (steps+1, d); b (steps+1,); z, a, cost, delta, gain (steps+1,), or (steps+1, n) for n samples.

    >>> Neuron(0.6, 0.9).learn(1.0, 0.0)
    Run(output=CrossEntropy(cost=CrossEntropy(), activation=Sigmoid()), rate=0.15)
    """

    output: Output
    rate: float
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    w: Float[Any, "t *d"] = field(repr=False)
    b: Float[Any, " t"] = field(repr=False)
    z: Float[Any, "t *n"] = field(repr=False)
    a: Float[Any, "t *n"] = field(repr=False)
    cost: Float[Any, "t *n"] = field(repr=False)
    delta: Float[Any, "t *n"] = field(repr=False)
    gain: Float[Any, "t *n"] = field(repr=False)

    @property
    def steps(self) -> int:
        """The number of updates."""
        return int(self.a.shape[0]) - 1

    def first_step(self, holds: Callable[[Array], Array]) -> int | None:
        """The first step at which `holds(a)` is true of every sample, or None if it never is.

        >>> Neuron(0.6, 0.9).learn(1.0, 0.0, output="quadratic@sigmoid").first_step(lambda a: a < 0.5)
        36
        """
        xp = namespace(self.a)
        true = xp.all(xp.reshape(holds(self.a), (self.steps + 1, -1)), axis=1)
        return int(xp.argmax(xp.astype(true, xp.int32))) if bool(xp.any(true)) else None

    def steps_to_learn(self, learned: float = 0.1) -> int | None:
        """The first step at which every error is below `learned`, or None if that never happens."""
        return self.first_step(lambda a: abs(self._errors()) < learned)

    def fastest_fall(self) -> int:
        """The step whose update lowers the (mean) output most; about the output's speed, not the cost's.

        >>> Neuron(2.0, 2.0).learn(1.0, 0.0, output="quadratic@sigmoid").fastest_fall()
        221
        """
        if self.steps == 0:
            raise InputError("a run of 0 steps has no step at which its output falls: give steps of at least 1.")
        xp = namespace(self.a)
        a = xp.mean(xp.reshape(self.a, (self.steps + 1, -1)), axis=1)
        return int(xp.argmax(a[:-1] - a[1:]))

    def figure(self, *, theme: str = "light", language: str = "en") -> Figure:
        """Cost, output, δ and gain against the step, as a matplotlib figure."""
        from xent import figures

        return figures.draw_runs({str(self.output): self}, theme=theme, language=language)

    def _repr_html_(self) -> str:
        """The figure, where a notebook shows the run."""
        from xent import figures

        return figures.svg(self.figure())

    def _errors(self) -> Array:
        xp = namespace(self.z)
        return self.output.error(self.z, xp.broadcast_to(self.y, self.z.shape))


@dataclass(frozen=True)
class Neuron:
    """One neuron with weights w (a number, or a vector for several inputs) and bias b.

    >>> run = Neuron(w=2.0, b=2.0).learn(x=1.0, y=0.0, output="quadratic@sigmoid", rate=0.15, steps=300)
    >>> print(f"{run.a[0]:.2f} → {run.a[-1]:.2f}")  # the article's second experiment
    0.98 → 0.20
    """

    w: Numbers
    b: Numbers

    @classmethod
    def from_output(cls, a: float, x: Numbers = 1.0, activation: str | Activation = "sigmoid") -> Neuron:
        """The neuron that answers a at x, its weights and bias the shortest that do.

        z = σ⁻¹(a) is shared out as in `from_input`.  Raises InputError for an a that σ never answers.

        >>> round(float(Neuron.from_output(0.98).b), 4)
        1.9459
        """
        activation = read_activation(activation) if isinstance(activation, str) else activation
        if not isinstance(a, (int, float, np.floating)) or a not in activation.range:
            raise InputError(f"{activation} answers with numbers in {activation.range}, but a first output of {a!r} was asked for.")
        point = np.asarray(x, dtype=np.float64)
        if point.ndim > 1 or not np.all(np.isfinite(point)):
            raise InputError(f"a first output is asked for at one finite input, a number or a vector, but {x!r} came.")
        return cls.from_input(float(activation.inverse(np.asarray(a, dtype=np.float64))), x=point)

    @classmethod
    def from_input(cls, z: float, x: Numbers = 1.0) -> Neuron:
        """The neuron whose weighted input at x is z, its weights and bias the shortest that do: (w, b) = z·(x, 1)/(‖x‖² + 1).

        >>> Neuron.from_input(4.0)
        Neuron(w=np.float64(2.0), b=np.float64(2.0))
        """
        point = np.asarray(x, dtype=np.float64)
        share = z / (np.sum(point**2) + 1)
        return cls(share * point, share)

    @classmethod
    def random(cls, inputs: int | None = None, *, seed: int, scale: float = 1.0) -> Neuron:
        """A neuron with weights and bias drawn from N(0, scale²): one weight, or `inputs` of them.

        >>> Neuron.random(seed=7) == Neuron.random(seed=7)
        True
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed is a whole number of at least 0, but {seed!r} came.")
        if not isfinite(scale) or scale < 0:
            raise InputError(f"scale is a number of at least 0, but {scale!r} came.")
        generator = np.random.default_rng(seed)
        w = scale * generator.standard_normal(inputs)
        return cls(w, scale * generator.standard_normal())

    def learn(
        self,
        x: Numbers,
        y: Numbers,
        *,
        output: str | Output = "cross-entropy@sigmoid",
        rate: float = 0.15,
        steps: int = 300,
    ) -> Run:
        """Gradient descent on the samples (x, y) from this start, every step kept; the neuron itself stays as it is.

        x is a number or a vector like w and y a number; for n samples x is (n, d) and y (n,), and δ is averaged over them.
        Each of the `steps` updates (a million at most) is w ← w − rate·mean(δx), b ← b − rate·mean(δ).
        """
        output = output_named(output)
        if output.activation.vector:
            raise InputError(f"a neuron has one output, and {output} needs one per class: use {output.cost.name}@sigmoid.")
        rate, steps = positive("rate", rate), whole("steps", steps)
        if steps > MOST_STEPS:
            raise InputError(
                f"a run keeps every step, and so has at most {MOST_STEPS:,} of them, but {steps:,} came: see xent.sweep."
            )
        xp = namespace(self.w, self.b, x, y)
        w, b, x, y = (numbers(name, v, xp) for name, v in (("w", self.w), ("b", self.b), ("x", x), ("y", y)))
        _check_shapes(w, b, x, y)

        def weighted_input(w: Array, b: Array) -> Array:
            return (total(x * w, xp) if w.ndim else x * w) + b

        with quiet():
            z, ready, _ = output._ready(weighted_input(w, b), y, None)  # checked once: no step changes a shape or a target
            path = [(w, b)]
            for _ in range(steps):
                delta = output._delta(z, ready, xp)
                step_w, step_b = delta[..., None] * x if w.ndim else delta * x, delta
                if delta.ndim:
                    step_w, step_b = xp.mean(step_w, axis=0), xp.mean(delta)
                w, b = w - rate * step_w, b - rate * step_b
                path.append((w, b))
                z = weighted_input(w, b)
            ws, bs = xp.stack([w for w, _ in path]), xp.stack([b for _, b in path])
            z = xp.stack([weighted_input(w, b) for w, b in path])
        ys = xp.broadcast_to(y, z.shape)
        parts = (output.predict(z), output.value(z, ys), output.delta(z, ys), output.gain(z, ys))
        return Run(output, rate, x, y, ws, bs, z, *parts)


def _check_shapes(w: Array, b: Array, x: Array, y: Array) -> None:
    """Whether start and samples fit each other."""
    if w.ndim > 1 or b.ndim > 0:
        raise ShapeError(f"a neuron has weights w (a number or a vector) and one bias b, but their shapes are {tuple(w.shape)} "
                         f"and {tuple(b.shape)}. For many neurons at once, run one after another.")  # fmt: skip
    if y.ndim > 1 or tuple(x.shape) != (*y.shape, *w.shape) or 0 in y.shape:
        many = f"({', '.join(['n', *map(str, w.shape)])})"
        raise ShapeError(
            f"with w of shape {tuple(w.shape)} one sample is x of that shape and y a number, and n samples are x of shape "
            f"{many} and y of shape (n), n at least 1; but x has shape {tuple(x.shape)} and y {tuple(y.shape)}."
        )
