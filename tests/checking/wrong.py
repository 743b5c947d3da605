"""Wrong costs and outputs, each with the rule that must name its mistake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import xent
from xent.activations import Activation, Interval
from xent.costs import Cost, MarginCost, Quadratic, SurprisalCost
from xent.outputs import Output

WRONG: dict[str, tuple[object, str]] = {}


def wrong(rule, *, made=None):
    def enter(cls):
        WRONG[cls.__name__] = (made(cls) if made else cls), rule
        return cls

    return enter


def on(cost, activation):
    return lambda cls: cls(xent.output(cost, activation).cost, xent.output(cost, activation).activation)


class Squares(Cost):
    """Right; what follows breaks one thing each."""

    name, usual = "squares", "sigmoid"

    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


class Entropy(Cost):
    """Right."""

    name, usual = "entropy", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a)) - np.where(y == 1, 0, (1 - y) * np.log1p(-a))

    def slope(self, a, y):
        return -np.where(y == 0, 0, y / a) + np.where(y == 1, 0, (1 - y) / (1 - a))


@wrong("sign")
class TurnedRound(Squares):
    def slope(self, a, y):
        return y - a


@wrong("factor")
class HalfForgotten(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2


@wrong("factor")
class MeanOverOutputs(Squares):
    usual = "softmax"

    def slope(self, a, y):
        return (a - y) / a.shape[-1]


@wrong("clamped")
class ClippedEntropy(Entropy):
    def __call__(self, a, y):
        return super().__call__(np.clip(a, 1e-7, 1 - 1e-7), y)


@wrong("clamped")
class ClippedEntropyAndSlope(Entropy):
    def __call__(self, a, y):
        return super().__call__(np.clip(a, 1e-12, 1 - 1e-12), y)

    def slope(self, a, y):
        return np.where((a < 1e-12) | (a > 1 - 1e-12), 0.0, super().slope(np.clip(a, 1e-12, 1 - 1e-12), y))


@wrong("clamped")
class HeldAtAHundred(Entropy):
    """PyTorch's binary cross-entropy."""

    def __call__(self, a, y):
        return -(y * np.maximum(np.log(a), -100) + (1 - y) * np.maximum(np.log1p(-a), -100))

    def slope(self, a, y):
        return (a - y) / np.maximum(a * (1 - a), 1e-12)


@wrong("clamped")
class ClippedClasses(Cost):
    name, usual = "clipped-classes", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -y * np.log(np.clip(a, 1e-7, 1))

    def slope(self, a, y):
        return -y / np.clip(a, 1e-7, 1)


@wrong("slope")
class ClippedSlopeOnly(Entropy):
    def slope(self, a, y):
        return super().slope(np.clip(a, 1e-6, 1 - 1e-6), y)


@wrong("slope-is-delta")
class SlopeOfTheBook(Entropy):
    """a − y is ∂C/∂z, not ∂C/∂a."""

    def slope(self, a, y):
        return a - y


@wrong("slope-is-delta")
class SlopeOfTheBookForClasses(Cost):
    name, usual = "categorical", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a))

    def slope(self, a, y):
        return a - y


@wrong("slope")
class WrongPower(Squares):
    def __call__(self, a, y):
        return (a - y) ** 4 / 4

    def slope(self, a, y):
        return (a - y) ** 3 * (1 + 1e-4 * a)


@wrong("soft-targets")
class HardOnly(Entropy):
    def slope(self, a, y):
        return np.where(y > 0.5, -1 / a, 1 / (1 - a))


@wrong("reduces")
class Mean(Squares):
    def __call__(self, a, y):
        return np.mean((a - y) ** 2) / 2


@wrong("reduces")
class SumAsPythonNumber(Squares):
    def __call__(self, a, y):
        return float(np.sum((a - y) ** 2) / 2)


@wrong("reduces")
class ReducedSlope(Squares):
    def slope(self, a, y):
        return (a - y).sum(keepdims=True)


@wrong("changes")
class Mutates(Squares):
    def __call__(self, a, y):
        a -= y
        return a * a / 2


@wrong("changes")
class ClipsInPlace(Squares):
    def slope(self, a, y):
        np.clip(y, 0.1, 0.9, out=y)
        return a - y


@wrong("dtype")
class Widens(Squares):
    def __call__(self, a, y):
        return (a - np.asarray(y, dtype=np.float64)) ** 2 / 2


@wrong("dtype")
class WidensByAConstant(Squares):
    def slope(self, a, y):
        return (a - y) * np.ones(1)[0]


@wrong("integers")
class Signs(Squares):
    def __call__(self, a, y):
        return np.abs(a - y)

    def slope(self, a, y):
        return (a > y).astype(int) - (a < y).astype(int)


@wrong("type")
class Lists(Squares):
    def slope(self, a, y):
        return [p - t for p, t in zip(np.ravel(a), np.ravel(y), strict=True)]


@wrong("shape")
class OuterDifference(Squares):
    def __call__(self, a, y):
        return (a[:, None] - y) ** 2 / 2


@wrong("shapes")
class OneAxisOnly(Squares):
    def slope(self, a, y):
        return np.asarray([p - t for p, t in zip(a, y, strict=True)], dtype=a.dtype)


@wrong("mixes")
class Standardised(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / (2 * np.max(np.abs(a)))


@wrong("random")
class Noisy(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2 + np.random.default_rng().normal(size=np.shape(a)).astype(a.dtype)


@wrong("raises")
class Raises(Squares):
    def slope(self, a, y):
        raise RuntimeError("not written yet\nsecond line")


@wrong("end")
class NanAtTheEnds(Entropy):
    """0·log 0 of a cost that says that it takes 0 and 1."""

    answers = Interval.closed(0, 1)

    def __call__(self, a, y):
        return -(y * np.log(a) + (1 - y) * np.log(1 - a))


@wrong("end")
class NanSlopeAtTheEnds(Entropy):
    answers = Interval.closed(0, 1)

    def slope(self, a, y):
        return (a - y) / (a * (1 - a))


@wrong("not-finite")
class Undefined(Squares):
    usual = "identity"

    def __call__(self, a, y):
        return np.log(np.exp((a - y) ** 2 / 2))


@wrong("float32")
class NarrowOverflow(Squares):
    """e^(1.15a) leaves float32 at a = 77."""

    usual = "identity"
    targets = Interval.closed(0, 1)

    def __call__(self, a, y):
        return (np.log1p(np.exp(1.15 * (a - y))) + np.log1p(np.exp(1.15 * (y - a)))) / 1.15

    def slope(self, a, y):
        return np.tanh(1.15 * (a - y) / 2)


@wrong("truth")
class Rewarded(Squares):
    """Least where it is most wrong."""

    def __call__(self, a, y):
        return -((a - y) ** 2) / 2

    def slope(self, a, y):
        return y - a


@wrong("truth")
class LeansToTheMiddle(Squares):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2 + (a - 0.5) ** 2

    def slope(self, a, y):
        return a - y + 2 * (a - 0.5)


@wrong("truth")
class WrongSideOfTheMargin(MarginCost):
    name = "wrong-side"

    def of_margin(self, m, xp):
        return xp.log1p(xp.exp(m))

    def slope_of_margin(self, m, xp):
        return 1 / (1 + xp.exp(-m))


@wrong("indifferent")
class CategoricalOnASigmoid(Entropy):
    """−y log a forgets that 1 − a is an answer too."""

    def __call__(self, a, y):
        return -np.where(y == 0, 0, y * np.log(a))

    def slope(self, a, y):
        return -np.where(y == 0, 0, y / a)


@wrong("mixes")
class MeanOverTheBatchInTheSlope(Squares):
    def slope(self, a, y):
        return (a - y) / a.size


@wrong("opposite")
class OppositeRegression(Squares):
    usual = "identity"

    def __call__(self, a, y):
        return (a + y) ** 2 / 2

    def slope(self, a, y):
        return a + y


@wrong("sign")
class MarginSlopeWithoutItsMinus(MarginCost):
    name = "margin-sign"

    def of_margin(self, m, xp):
        return xp.exp(-m)

    def slope_of_margin(self, m, xp):
        return xp.exp(-m)


@wrong("slope")
@dataclass(frozen=True)
class WrongPhi(SurprisalCost):
    """φ = ℓ², with a slope that forgets the chain."""

    name = "squared-surprisal"

    def phi(self, p, xp):
        return p.ell**2

    def phi_slope(self, p, xp):
        return 2 * p.ell * p.p

    def phi_curvature(self, p, xp):
        return 2 + 0 * p.p


@wrong("jump")
class HuberWithoutItsConstant(Squares):
    usual = "identity"

    def __call__(self, a, y):
        e = np.abs(a - y)
        return np.where(e < 1, e**2 / 2, e)

    def slope(self, a, y):
        return np.clip(a - y, -1, 1)


@wrong("name")
class Nameless(Cost):
    def __call__(self, a, y):
        return (a - y) ** 2 / 2

    def slope(self, a, y):
        return a - y


@wrong("usual")
class UsualForgotten(Entropy):
    usual = "identity"


@wrong("clamped")
class ClippedFarInside(Entropy):
    """At 0.05, and the slope follows."""

    def __call__(self, a, y):
        return super().__call__(np.clip(a, 0.05, 0.95), y)

    def slope(self, a, y):
        return np.where((a < 0.05) | (a > 0.95), 0.0, super().slope(np.clip(a, 0.05, 0.95), y))


@wrong("clamped")
class CostHeldAtTen(Entropy):
    def __call__(self, a, y):
        return np.minimum(super().__call__(a, y), 10)

    def slope(self, a, y):
        return np.where(super().__call__(a, y) > 10, 0.0, super().slope(a, y))


@wrong("slope")
class SlopeHeldAtFive(Entropy):
    """Gradient clipping in the wrong place."""

    def slope(self, a, y):
        return np.clip(super().slope(a, y), -5, 5)


@wrong("slope")
class DeadStretch(Squares):
    """Right but between 0.70 and 0.72."""

    def slope(self, a, y):
        return np.where((a > 0.70) & (a < 0.72), 0.0, a - y)


@wrong("digits")
class NarrowInside(Squares):
    """float32 within, float64 again at the door."""

    def __call__(self, a, y):
        e = a.astype(np.float32) - y.astype(np.float32)
        return (e * e / 2).astype(a.dtype)


@wrong("digits")
class HalfPrecisionSlope(Squares):
    def slope(self, a, y):
        return (a - y).astype(np.float16).astype(a.dtype)


@wrong("slope-of-target")
class ByTheTarget(Entropy):
    """log((1 − a)/a) is ∂C/∂y."""

    def slope(self, a, y):
        return np.log1p(-a) - np.log(a)


@wrong("slope")
class QuotientRuleForgotten(Cost):
    """Dice's overlap, its denominator taken for a constant."""

    name, usual = "dice", "softmax"
    answers, targets = Interval.closed(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return 1 - 2 * np.sum(a * y, axis=-1) / (np.sum(a * a, axis=-1) + np.sum(y * y, axis=-1))

    def slope(self, a, y):
        return -2 * y / (np.sum(a * a, axis=-1, keepdims=True) + np.sum(y * y, axis=-1, keepdims=True))


@wrong("factor")
class TemperatureOutside(Cost):
    """The slope forgets that the score is divided by 3."""

    name = "heated"
    targets = Interval.closed(0, 1)

    def __call__(self, a, y):
        return np.logaddexp(0, -a / 3) * y + np.logaddexp(0, a / 3) * (1 - y)

    def slope(self, a, y):
        return 0.5 + 0.5 * np.tanh(a / 6) - y


@wrong("shape")
class SummedOverTheBatch(Squares):
    """axis=0 where −1 was meant."""

    usual = "softmax"

    def __call__(self, a, y):
        return np.sum((a - y) ** 2, axis=0)


# ── outputs ──


@wrong("sigma-forgotten", made=on("cross-entropy", "sigmoid"))
class TheSlip(Output):
    """The slip of the well-known demos: 1/(1 − a) where a is needed."""

    def _delta(self, z, y, xp):
        return self.cost.slope(self.activation(z), y)


@wrong("sigma-forgotten", made=on("quadratic", "sigmoid"))
class TheSlipInPublic(Output):
    def delta(self, z, y, **_):
        return self.predict(z) - y


@wrong("sigma-forgotten", made=on("quadratic", "softmax"))
class TheSlipOfClasses(Output):
    def _delta(self, z, y, xp):
        return self.activation(z) - y


@wrong("sigma-twice", made=on("quadratic", "sigmoid"))
class Twice(Output):
    def _delta(self, z, y, xp):
        a = self.activation(z)
        return (a - y) * (a * (1 - a)) ** 2


@wrong("sigma-twice", made=on("cross-entropy", "softmax"))
class TwiceForClasses(Output):
    def _delta(self, z, y, xp):
        a = self.activation(z)
        return self.activation.pullback(a, a - y)


@wrong("sign", made=on("cross-entropy", "sigmoid"))
class OutputTurnedRound(Output):
    def _delta(self, z, y, xp):
        return y - self.activation(z)


@wrong("factor", made=on("cross-entropy", "tanh"))
class TwiceAsMuch(Output):
    def _delta(self, z, y, xp):
        return 2 * (self.activation(z) - y)


@wrong("clamped-value", made=on("cross-entropy", "sigmoid"))
class ClampedOutput(Output):
    def _value(self, z, y, xp):
        z = xp.clip(z, -50, 50)
        return xp.where(z > 0, z, 0.0) - z * y + xp.log1p(xp.exp(-xp.abs(z)))

    def _delta(self, z, y, xp):
        return self.activation(z) - y


@wrong("delta", made=on("cross-entropy", "sigmoid"))
class DeadTail(Output):
    """Right up to |z| = 16.7: what a sigmoid in float32 leaves."""

    def _value(self, z, y, xp):
        return xp.where(z > 0, z, 0.0) - z * y + xp.log1p(xp.exp(-xp.abs(z)))

    def _delta(self, z, y, xp):
        return xp.where(xp.abs(z) > 16.7, 0.0, self.activation(z) - y)


@wrong("not-finite", made=on("logistic", "identity"))
class OverflowingDelta(Output):
    def _delta(self, z, y, xp):
        return -y * xp.exp(-2 * y * z) / (xp.exp(-2 * y * z) + xp.exp(-y * z))


@wrong("value", made=on("quadratic", "sigmoid"))
class OtherValue(Output):
    def _value(self, z, y, xp):
        return (self.activation(z) - y) ** 2

    def _delta(self, z, y, xp):
        a = self.activation(z)
        return 2 * (a - y) * a * (1 - a)


@wrong("broadcasts", made=on("quadratic", "identity"))
class Broadcasting(Output):
    def delta(self, z, y, **_):
        return z - y


@wrong("gain", made=on("cross-entropy", "sigmoid"))
class WrongGain(Output):
    def _gain(self, z, y, xp):
        return 2 * xp.ones_like(z)


class Bent(Activation):
    name = "bent"
    range = Interval.open(0, 1)

    def __call__(self, z):
        return 0.5 + np.arctan(z) / np.pi

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


@wrong("delta", made=on("quadratic", "softmax"))
class DiagonalOfTheJacobian(Output):
    """As if a class depended on its own logit alone."""

    def _delta(self, z, y, xp):
        a = self.activation(z)
        return (a - y) * a * (1 - a)


@wrong("delta", made=on("logistic", "identity"))
class LabelForgotten(Output):
    """f′(m) without the y that the chain brings."""

    def _delta(self, z, y, xp):
        return -1 / (1 + xp.exp(xp.clip(y * z, -80, 80)))


@wrong("slope")
class FocalFactorForgotten(Entropy):
    """(1 − a)² taken for a constant."""

    def __call__(self, a, y):
        return -(y * (1 - a) ** 2 * np.log(a) + (1 - y) * a**2 * np.log1p(-a))

    def slope(self, a, y):
        return -y * (1 - a) ** 2 / a + (1 - y) * a**2 / (1 - a)


@wrong("slope")
class HuberSignForgotten(Squares):
    usual = "identity"

    def __call__(self, a, y):
        e = abs(a - y)
        return np.where(e < 1, e * e / 2, e - 0.5)

    def slope(self, a, y):
        return np.where(abs(a - y) < 1, a - y, np.ones_like(a))


@wrong("slope")
class HingeEverywhere(MarginCost):
    """The slope of the wrong side, on the right one too."""

    name = "hinge-everywhere"

    def of_margin(self, m, xp):
        return xp.maximum(1 - m, 0 * m)

    def slope_of_margin(self, m, xp):
        return -1 + 0 * m


@wrong("slope")
class RoundedAnswers(Squares):
    """Differences of steps: nothing of its kind can be told but that it jumps."""

    usual = "identity"

    def __call__(self, a, y):
        return (np.round(a, 2) - y) ** 2 / 2

    def slope(self, a, y):
        return np.round(a, 2) - y


@wrong("slope")
class DivergenceTurned(Entropy):
    """The slope of KL(a‖y) beside the cost KL(y‖a)."""

    targets = Interval.open(0, 1)

    def __call__(self, a, y):
        return y * np.log(y / a) + (1 - y) * np.log((1 - y) / (1 - a))

    def slope(self, a, y):
        return np.log(a / y) - np.log((1 - a) / (1 - y))


@wrong("not-finite")
class ZeroOverZero(Squares):
    """e/|e| where there is no error."""

    usual = "identity"

    def __call__(self, a, y):
        return abs(a - y)

    def slope(self, a, y):
        return (a - y) / abs(a - y)


@wrong("truth")
class LabelsFlipped(Entropy):
    def __call__(self, a, y):
        return super().__call__(a, 1 - y)

    def slope(self, a, y):
        return super().slope(a, 1 - y)


@wrong("slope")
class AnswerTakenForALogit(Entropy):
    def slope(self, a, y):
        return 1 / (1 + np.exp(-a)) - y


@wrong("slope")
class EarthMoverForward(Cost):
    """The sums up to each class, where those from each class on are wanted."""

    name, usual = "earth-mover-forward", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return (np.cumsum(a - y, axis=-1) ** 2).sum(axis=-1) / 2

    def slope(self, a, y):
        return np.cumsum(a - y, axis=-1)


@wrong("truth")
class LogLikelihoodWithoutItsMinus(Cost):
    name, usual = "likelihood", "softmax"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return np.where(y == 0, 0, y * np.log(a)).sum(axis=-1)

    def slope(self, a, y):
        return y / a
