"""Outputs and activations whose δ, value or gain is not that of their parts."""

from __future__ import annotations

import numpy as np

from xent.activations import Activation, Interval
from xent.costs import Quadratic
from xent.outputs import Output

from .. import WRONG, faulty, on
from ..right.outputs import Arctan, FusedEntropy


@faulty("sigma-forgotten", made=on("cross-entropy@sigmoid"))
class TheSlip(Output):
    """The slip of the well-known demos: 1/(1 − a) where a is needed."""

    def _delta(self, z, y, xp):
        return self.cost.slope(self.activation(z), y)


@faulty("sigma-forgotten", made=on("quadratic@sigmoid"))
class TheSlipInPublic(Output):
    def delta(self, z, y, **_):
        return self.predict(z) - y


@faulty("sigma-forgotten", made=on("quadratic@softmax"))
class TheSlipOfClasses(Output):
    def _delta(self, z, y, xp):
        return self.activation(z) - y


@faulty("sigma-twice", made=on("quadratic@sigmoid"))
class Twice(Output):
    def _delta(self, z, y, xp):
        a = self.activation(z)
        return (a - y) * (a * (1 - a)) ** 2


@faulty("sigma-twice", made=on("cross-entropy@softmax"))
class TwiceForClasses(Output):
    def _delta(self, z, y, xp):
        a = self.activation(z)
        return self.activation.pullback(a, a - y)


@faulty("sign", made=on("cross-entropy@sigmoid"))
class OutputTurnedRound(Output):
    def _delta(self, z, y, xp):
        return y - self.activation(z)


@faulty("factor", made=on("cross-entropy@tanh"))
class TwiceAsMuch(Output):
    def _delta(self, z, y, xp):
        return 2 * (self.activation(z) - y)


@faulty("clamped-value", made=on("cross-entropy@sigmoid"))
class ClampedOutput(FusedEntropy):
    def _value(self, z, y, xp):
        return super()._value(xp.clip(z, -50, 50), y, xp)


@faulty("delta", made=on("cross-entropy@sigmoid"))
class DeadTail(FusedEntropy):
    """Right up to |z| = 16.7: what a sigmoid in float32 leaves."""

    def _delta(self, z, y, xp):
        return xp.where(xp.abs(z) > 16.7, 0.0, super()._delta(z, y, xp))


@faulty("not-finite", made=on("logistic@identity"))
class OverflowingDelta(Output):
    def _delta(self, z, y, xp):
        return -y * xp.exp(-2 * y * z) / (xp.exp(-2 * y * z) + xp.exp(-y * z))


@faulty("value", made=on("quadratic@sigmoid"))
class OtherValue(Output):
    def _value(self, z, y, xp):
        return (self.activation(z) - y) ** 2

    def _delta(self, z, y, xp):
        a = self.activation(z)
        return 2 * (a - y) * a * (1 - a)


@faulty("broadcasts", made=on("quadratic@identity"))
class Broadcasting(Output):
    def delta(self, z, y, **_):
        return z - y


@faulty("gain", made=on("cross-entropy@sigmoid"))
class WrongGain(Output):
    def _gain(self, z, y, xp):
        return 2 * xp.ones_like(z)


class Bent(Arctan):
    name = "bent"

    def pullback(self, a, g):
        return g * a * (1 - a)  # a sigmoid's


WRONG["WrongPullback"] = Output(Quadratic(), Bent()), "pullback"


class Lukewarm(Activation):
    """A softmax of z/2, whose pullback forgets the half."""

    name, vector = "lukewarm", True
    range = Interval.open(0, 1)

    def __call__(self, z):
        e = np.exp((z - z.max(axis=-1, keepdims=True)) / 2)
        return e / e.sum(axis=-1, keepdims=True)

    def pullback(self, a, g):
        return a * (g - (g * a).sum(axis=-1, keepdims=True))


WRONG["PullbackOffByAFactor"] = Output(Quadratic(), Lukewarm()), "pullback"


@faulty("delta", made=on("quadratic@softmax"))
class DiagonalOfTheJacobian(Output):
    """As if a class depended on its own logit alone."""

    def _delta(self, z, y, xp):
        a = self.activation(z)
        return (a - y) * a * (1 - a)


@faulty("delta", made=on("logistic@identity"))
class LabelForgotten(Output):
    """f′(m) without the y that the chain brings."""

    def _delta(self, z, y, xp):
        return -1 / (1 + xp.exp(xp.clip(y * z, -80, 80)))
