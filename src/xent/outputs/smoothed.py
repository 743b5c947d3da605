"""Label smoothing: the output beneath, on the target that the smoothing makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xent.arrays import Array
from xent.costs import Smooth
from xent.outputs.base import Output


@dataclass(frozen=True)
class Smoothed(Output):
    """Everything against y′; the rest is the output beneath."""

    cost: Smooth
    beneath: Output

    def _value(self, z: Array, y: Array, xp: Any) -> Array:
        return self.beneath._value(z, self._aim(y, xp), xp)

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        return self.beneath._delta(z, self._aim(y, xp), xp)

    def _error(self, z: Array, y: Array, xp: Any) -> Array:
        return self.beneath._error(z, self._aim(y, xp), xp)

    def _gain(self, z: Array, y: Array, xp: Any) -> Array:
        return self.beneath._gain(z, self._aim(y, xp), xp)

    def _aim(self, y: Array, xp: Any) -> Any:
        return self.beneath._smoothed(y, self.cost, xp)
