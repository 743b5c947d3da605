"""Right costs of a margin."""

from __future__ import annotations

from xent.costs import MarginCost

from .. import sound


@sound()
class NaiveLogistic(MarginCost):
    name = "naive-logistic"

    def of_margin(self, m, xp):
        return xp.log(1 + xp.exp(-m))

    def slope_of_margin(self, m, xp):
        return -1 / (1 + xp.exp(m))


@sound()
class SavageMargin(MarginCost):
    """Bounded, for wrong labels."""

    name = "savage"

    def of_margin(self, m, xp):
        return 1 / (1 + xp.exp(m)) ** 2

    def slope_of_margin(self, m, xp):
        p = 1 / (1 + xp.exp(m))
        return -2 * p**2 * (1 - p)


@sound()
class TangentMargin(MarginCost):
    """Not even convex: too sure costs, too."""

    name = "tangent"

    def of_margin(self, m, xp):
        return (2 * xp.atan(m) - 1) ** 2

    def slope_of_margin(self, m, xp):
        return 4 * (2 * xp.atan(m) - 1) / (1 + m * m)


@sound()
class ModifiedHuber(MarginCost):
    name = "modified-huber"

    def of_margin(self, m, xp):
        return xp.where(m >= -1, xp.maximum(1 - m, 0 * m) ** 2, -4 * m)

    def slope_of_margin(self, m, xp):
        return xp.where(m >= -1, -2 * xp.maximum(1 - m, 0 * m), -4 + 0 * m)
