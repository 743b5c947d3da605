"""What a cross-entropy on logits can be told: one frozen object, checked once, shared by every path and every library."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf, isfinite
from typing import Any, Literal, TypedDict

import array_api_compat as compat
import numpy as np

from xent.arrays import Array, Numbers
from xent.costs import CrossEntropy, Smooth, SurprisalCost
from xent.errors import InputError, UnknownNameError
from xent.outputs.naming import read_cost

STATISTICS = ("lse", "log_prob", "entropy", "rank", "correct", "margin", "gain", "error")
"""What `stats` can name; `plain.statistics` says what each is."""


NEVER = -(2**62)
"""An ignore_index for whoever ignores nothing."""


class Choices(TypedDict, total=False):
    """The keywords that the public functions share; `Options` says what each means."""

    weight: Numbers | None
    ignore_index: int
    label_smoothing: float
    z_loss: float
    softcap: float | None
    temperature: float
    shape: str | SurprisalCost | None
    reduction: Literal["mean", "sum", "none"]
    denominator: float | Array | None
    on_empty: Literal["nan", "zero", "raise"]
    valid_classes: int | None
    stats: str | tuple[str, ...] | list[str]
    axis: int | None


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `cross_entropy`, in the order in which they act.

    softcap          z → c·tanh(z/c): logits held between −c and c. A logit of −∞ is a masked class, and stays one
    temperature      z → z/T
    valid_classes    the first so many classes exist; the others pad the vocabulary: no share of anything, gradient 0
    label_smoothing  y → (1 − ε)y + ε/V over the V classes that are not masked
    shape            φ(ℓ) in place of ℓ = −log p: a cost such as `costs.Focal(gamma=2)`, your own `SurprisalCost`, or a name
    weight           one number per class: row i costs Σ_j y_j w_j φ(ℓ_j)
    z_loss           λ: adds λ·lse² to every row that is not ignored, lse = log Σ_j e^(z_j) of the logits above; not weighted
    ignore_index     rows with this class index cost nothing
    reduction        mean, sum or none (one cost a row, 0 where ignored)
    denominator      what the mean divides by; else the weights of the targets that are not ignored, summed (without weights:
                     their number), for probability targets the number of rows. Micro-batches that share it add up to the batch
    on_empty         what the mean is where it would divide by 0, since all rows are ignored or of a class of weight 0: nan, zero,
                     or raise an error
    stats            names of `STATISTICS`, returned beside the cost
    axis             the class axis, the last where there are one or two
    """

    weight: Numbers | None = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    softcap: float | None = None
    temperature: float = 1.0
    shape: str | SurprisalCost | None = None
    reduction: str = "mean"
    denominator: float | Array | None = None
    on_empty: str = "nan"
    valid_classes: int | None = None
    stats: str | tuple[str, ...] | list[str] = ()
    axis: int | None = None

    def __post_init__(self) -> None:
        for name, low, high, meaning in (
            ("label_smoothing", 0.0, 1.0, "the share of the target that is spread over all classes"),
            ("z_loss", 0.0, inf, "the weight of lse²"),
        ):
            self._set(name, _number(name, getattr(self, name), low, high, meaning))
        for name, meaning in (("softcap", "the size that logits are held to"), ("temperature", "what logits are divided by")):
            if name != "softcap" or self.softcap is not None:
                self._set(name, _number(name, getattr(self, name), 1e-30, 1e30, meaning))
        _one_of("reduction", self.reduction, ("mean", "sum", "none"))
        _one_of("on_empty", self.on_empty, ("nan", "zero", "raise"))
        self._set("ignore_index", _whole("ignore_index", self.ignore_index))
        if not -(2**63) <= self.ignore_index < 2**63:
            raise InputError(f"ignore_index is a whole number of at most 64 bits, but {self.ignore_index} came.")
        if self.axis is not None:
            self._set("axis", _whole("axis", self.axis))
        if self.valid_classes is not None:
            self._set("valid_classes", _whole("valid_classes", self.valid_classes))
            if self.valid_classes < 1:
                raise InputError(f"valid_classes is the number of classes that exist, at least 1, but {self.valid_classes} came.")
        if not isinstance(self.stats, (str, tuple, list, set, frozenset)):
            raise InputError(f"stats is one name or a list of names ({', '.join(STATISTICS)}), but {self.stats!r:.60} came.")
        self._set("stats", (self.stats,) if isinstance(self.stats, str) else tuple(self.stats))
        for name in self.stats:
            if name not in STATISTICS:
                raise UnknownNameError("statistic", str(name), STATISTICS)
        self._set("shape", _shape(self.shape))
        self._check_denominator()

    @classmethod
    def of(cls, options: Any) -> Options:
        """The options with these keywords; an error names one that does not exist."""
        if not options:
            return DEFAULTS
        for name in options:
            if name not in NAMES:
                raise UnknownNameError("option of cross_entropy", name, NAMES)
        return cls(**options)

    @property
    def static(self) -> Options:
        """These options without their arrays (weight, denominator): what can be hashed, and known to a compiler beforehand."""
        return self.but(weight=None, denominator=None)

    def but(self, **values: Any) -> Options:
        """These options but for some values, which are not looked at: they are in order as they stand."""
        other = object.__new__(Options)
        other.__dict__.update(self.__dict__, **values)
        return other

    @property
    def phi(self) -> SurprisalCost:
        """φ as an object: cross-entropy itself where no shape is given."""
        return CrossEntropy() if self.shape is None else self.shape  # type: ignore[return-value]

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _check_denominator(self) -> None:
        given: Any = self.denominator
        if given is None:
            return
        if self.reduction != "mean":
            raise InputError(f"denominator= is what the mean divides by, but reduction={self.reduction!r} takes none: leave one.")
        if not compat.is_array_api_obj(given) or compat.is_numpy_array(given):
            self._set("denominator", _number("denominator", given, 1e-300, inf, "what the mean divides by"))
        elif given.ndim:
            raise InputError(f"denominator is one number, but an array of shape {tuple(given.shape)} came.")


NAMES = tuple(f.name for f in fields(Options))


def _number(name: str, value: Any, low: float, high: float, meaning: str) -> float:
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or not low <= value <= high:
        limits = "above 0" if low > 0 else f"of at least {low:g}" if high == inf else f"between {low:g} and {high:g}"
        raise InputError(f"{name} ({meaning}) is a number {limits}, but {value!r:.60} came.")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"{name} is a whole number, but {value!r:.60} came.")
    return int(value)


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name} is one of {', '.join(known)}, but {value!r:.60} came.")


def _shape(shape: Any) -> SurprisalCost | None:
    """φ from a name or an object; None for cross-entropy, which needs none."""
    cost = read_cost(shape) if isinstance(shape, str) else shape
    if isinstance(cost, Smooth):
        raise InputError(f"shape= is a cost φ(ℓ) without smoothing, but {cost} came: use shape={str(cost.cost)!r}, "
                         f"label_smoothing={cost.epsilon:g}.")  # fmt: skip
    if cost is not None and not isinstance(cost, SurprisalCost):
        raise InputError(f"shape= is a cost φ(ℓ) of the surprisal ℓ = −log p: focal(gamma=2), poly(epsilon=1), lq(q=0.7) or a "
                         f"SurprisalCost of your own, but {shape!r:.60} came.")  # fmt: skip
    return None if type(cost) is CrossEntropy else cost


DEFAULTS = Options()
