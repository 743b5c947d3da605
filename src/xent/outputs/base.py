"""Output = cost ∘ activation. The chain rule, written once; a family's closed form overrides it to keep the last digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jaxtyping import Float

from xent.activations import Activation, Interval
from xent.arrays import Array, Numbers, as_array, asked, is_float, moved, namespace, norm, quiet, sign, total
from xent.costs import Cost, Labels, Smooth
from xent.errors import InputError, ShapeError
from xent.outputs import targets

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Output:
    """A cost on top of an activation: what an output unit predicts, costs, and sends back. Made by `xent.output`.

    z are the weighted inputs (logits), of any shape and any floating dtype of NumPy, PyTorch, JAX or another array-API
    library; results are of the same library. Elementwise outputs (sigmoid, tanh, identity) take y of z's shape, and value,
    delta and gain have it too. Softmax works on the last axis (`axis=` says another): y holds class indices (integers, z's
    shape without the axis) or distributions (floats of z's shape); value and gain have z's shape without the axis, delta has
    z's shape. 16-bit z are computed in float32: delta is rounded once to z's dtype, value and gain stay float32.

    Raises ShapeError, TargetError and ArrayKindError for what does not fit; inside jit and vmap, where no value can be looked
    at, a wrong target gives nan.
    """

    cost: Cost
    activation: Activation

    def __str__(self) -> str:
        return f"{self.cost}@{self.activation}"

    # ── what a caller uses ─────────────────────────────────────────────────────────────────────────────────────────────

    def predict(self, z: Numbers, *, axis: int | None = None) -> Float[Any, "..."]:
        """The answer a = σ(z), of z's shape."""
        z, _, xp = targets.logits(z, 0.0)
        with quiet():
            return self._back(asked(self.activation, self._front(z, axis, xp)), axis, xp)

    def value(
        self,
        z: Numbers,
        y: Numbers,
        *,
        axis: int | None = None,
        class_weight: Numbers | None = None,
        sample_weight: Numbers | None = None,
    ) -> Float[Any, "..."]:
        """The cost C(σ(z), y) of each sample, never reduced.

        `class_weight` (one number per class; sigmoid and tanh have two, low end first) multiplies each sample by the weight of
        its class, a soft target by its mean weight; `sample_weight` (of the value's shape) multiplies each sample.
        """
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            return self._value(z, y, xp) * self._weight(z, y, class_weight, sample_weight, xp)

    def delta(
        self,
        z: Numbers,
        y: Numbers,
        *,
        axis: int | None = None,
        class_weight: Numbers | None = None,
        sample_weight: Numbers | None = None,
    ) -> Float[Any, "..."]:
        """δ = ∂C/∂z of each sample, of z's shape: what reaches the weights. Weights as in `value`."""
        dtype = getattr(z, "dtype", None)
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            weight = self._weight(z, y, class_weight, sample_weight, xp)
            weight = weight[..., None] if self.activation.vector and not isinstance(weight, float) else weight
            delta = self._back(self._delta(z, y, xp) * weight, axis, xp)
            return delta if dtype is None or delta.dtype == dtype or not is_float(delta) else xp.astype(delta, dtype)

    def gain(self, z: Numbers, y: Numbers, *, axis: int | None = None) -> Float[Any, "..."]:
        """The correction per unit of error: δ/(a − y), signed, and for a softmax ‖δ‖₂/‖a − y‖₂.

        a − y is `error`, against the target that the cost really uses; where it is 0 the limit is given.
        """
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            return self._gain(z, y, xp)

    def error(self, z: Numbers, y: Numbers, *, axis: int | None = None) -> Float[Any, "..."]:
        """a − y, of z's shape, without cancellation: y is the target that the cost really uses (a smoothed one, say).

        Margin costs are read against a = σ(s) with the labels −1 and +1 as 0 and 1.
        """
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            return self._back(self._error(z, y, xp), axis, xp)

    def alignment(self, z: Numbers, y: Numbers, *, axis: int | None = None) -> Float[Any, "..."]:
        """How parallel δ and the error are: the cosine between them for a softmax, for one number 1 or −1. nan where one is 0."""
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            e, delta = self._error(z, y, xp), self._delta(z, y, xp)
            if not self.activation.vector:
                return xp.where((e == 0) | (delta == 0), float("nan"), sign(e, xp) * sign(delta, xp))
            sizes = [xp.where(norm(v, xp) == 0, float("nan"), norm(v, xp)) for v in (e, delta)]
            return total((e / sizes[0][..., None]) * (delta / sizes[1][..., None]), xp)

    def stalled(
        self,
        z: Numbers,
        y: Numbers,
        *,
        error: float = 0.5,
        gain: float = 0.1,
        axis: int | None = None,
    ) -> Any:
        """Which samples are badly wrong and hardly corrected: squashed, an error above `error` of the range, a gain below `gain`.

        The error of a softmax is that of its worst class. Outputs that are not squashed (identity, margins) never stall.
        """
        z, y, xp = self._ready(z, y, axis)
        with quiet():
            g, e = self._gain(z, y, xp), xp.abs(self._error(z, y, xp))
            e = xp.max(e, axis=-1) if self.activation.vector else e
            if not self.activation.squashed:
                return e != e
            reach = self.activation.range.high - self.activation.range.low
            return (e > error * reach) & (g < gain)

    def figure(self, *, theme: str = "light", language: str = "en") -> Figure:
        """Cost, slope ∂C/∂a, δ and gain against the answer for both hard targets, as a matplotlib figure."""
        from xent import figures

        return figures.draw_output(self, theme=theme, language=language)

    def _repr_html_(self) -> str:
        """The figure, where a notebook shows the output."""
        from xent import figures

        return figures.svg(self.figure())

    # ── what a family overrides: z and y checked, classes on the last axis ─────────────────────────────────────────────

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        terms = asked(self.cost, asked(self.activation, z), y)
        return total(terms, xp) if self.activation.vector and terms.shape == z.shape else terms

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        """The chain rule: δ = σ's pullback of ∂C/∂a."""
        a = asked(self.activation, z)
        return asked(self.activation.pullback, a, asked(self.cost.slope, a, y))

    def _error(self, z: Array, y: Array, xp: Any) -> Array:
        return asked(self.activation, z) - asked(self.cost.aim, y)

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        """δ over error; nan where the error is 0, since only a closed form knows the limit."""
        e, delta = self._error(z, y, xp), self._delta(z, y, xp)
        return ratio(delta, e, float("nan"), xp) if self.activation.vector else delta / e

    def _smoothed(self, y: Array, smooth: Smooth, xp: Any) -> Any:
        """The smoothed target, in whatever form the hooks above take it."""
        return smooth.smoothed(y)

    # ── between the two ────────────────────────────────────────────────────────────────────────────────────────────────

    def _ready(self, z: Any, y: Any, axis: int | None) -> tuple[Array, Array, Any]:
        """z and y checked and as arrays of one library, the class axis last."""
        z, y, xp = targets.logits(z, y)
        moved = self._front(z, axis, xp)
        if not self.activation.vector:
            return z, targets.elementwise(z, y, self.cost.targets_on(self.activation), str(self), xp), xp
        if is_float(y) and y.shape == z.shape:
            y = self._front(y, axis, xp)
        return moved, targets.distributions(moved, y, str(self), xp), xp

    def _front(self, z: Array, axis: int | None, xp: Any) -> Array:
        """The class axis moved to the last place."""
        if axis is None:
            return z
        if not self.activation.vector:
            raise InputError(f"{self} is elementwise and has no class axis: leave axis={axis} out.")
        if not -z.ndim <= axis < z.ndim:
            raise ShapeError(f"axis={axis} does not exist: z has {z.ndim} axes, shape {tuple(z.shape)}.")
        return moved(z, axis, -1, xp)

    def _back(self, x: Array, axis: int | None, xp: Any) -> Array:
        return x if axis is None else moved(x, -1, axis, xp)

    def _weight(self, z: Array, y: Array, by_class: Any, by_sample: Any, xp: Any) -> Array | float:
        weight: Array | float = 1.0
        samples = z.shape[:-1] if self.activation.vector else z.shape
        if by_class is not None:
            w = _weights(by_class, z, xp)
            shares = y if self.activation.vector else self._ends(y, xp)
            if tuple(w.shape) != (shares.shape[-1],):
                raise ShapeError(
                    f"{self} has {shares.shape[-1]} classes here, so class_weight has shape ({shares.shape[-1]},), "
                    f"but {tuple(w.shape)} came."
                )
            weight = total(shares * w, xp)
        if by_sample is not None:
            w = _weights(by_sample, z, xp)
            if w.shape != samples:
                raise ShapeError(f"sample_weight has one number per sample, shape {tuple(samples)}, but {tuple(w.shape)} came.")
            weight = w * weight
        return weight

    def _ends(self, y: Array, xp: Any) -> Array:
        """The shares of the low and the high class in a target of one number."""
        allowed = self.cost.targets_on(self.activation)
        if isinstance(allowed, Interval) and not allowed.bounded:
            raise InputError(f"{self} has no classes, so class_weight means nothing here: use sample_weight.")
        low, high = allowed.values if isinstance(allowed, Labels) else (allowed.low, allowed.high)
        return xp.stack([(high - y) / (high - low), (y - low) / (high - low)], axis=-1)


def ratio(delta: Array, e: Array, limit: Any, xp: Any) -> Array:
    """‖δ‖/‖e‖ over the last axis; where the error vanishes ∞, or `limit` if δ vanishes with it."""
    above, below = norm(delta, xp), norm(e, xp)
    return xp.where(below > 0, above / below, xp.where(above > 0, float("inf"), limit * xp.ones_like(above)))


def _weights(w: Numbers, z: Array, xp: Any) -> Array:
    """Weights as an array of z's library and dtype."""
    namespace(w, z)
    return xp.astype(as_array(w, xp, z), z.dtype)
