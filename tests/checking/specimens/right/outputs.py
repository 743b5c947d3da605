"""Right outputs, right costs on activations of one's own."""

from __future__ import annotations

import numpy as np
from own_activations import Warm, WarmClasses

import xent
from xent.activations import Activation, Identity, Interval, Sigmoid
from xent.costs import Quadratic, Smooth
from xent.outputs import Output

from .. import RIGHT, on, sound
from .numbers import Huber
from .yes_no import PearsonsChiSquare


@sound(made=on("cross-entropy@sigmoid"))
class FusedEntropy(Output):
    """The usual stable form on logits."""

    def _value(self, z, y, xp):
        return xp.where(z > 0, z, 0.0) - z * y + xp.log1p(xp.exp(-xp.abs(z)))

    def _delta(self, z, y, xp):
        return self.activation(z) - y


@sound(made=on("cross-entropy@softmax"))
class LogSumExpByHand(Output):
    def _value(self, z, y, xp):
        m = xp.max(z, axis=-1, keepdims=True)
        log_p = z - m - xp.log(xp.sum(xp.exp(z - m), axis=-1, keepdims=True))
        return -xp.sum(y * log_p, axis=-1)

    def _delta(self, z, y, xp):
        e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
        return e / xp.sum(e, axis=-1, keepdims=True) - y


@sound("stalls", made=on("quadratic@sigmoid"))
class DeltaOfTheBook(Output):
    def _delta(self, z, y, xp):
        a = self.activation(z)
        return (a - y) * a * (1 - a)


class Arctan(Activation):
    name = "arctan"
    range = Interval.open(0, 1)

    def __call__(self, z):
        return 0.5 + np.arctan(z) / np.pi

    def pullback(self, a, g):
        return g * np.sin(np.pi * a) ** 2 / np.pi


RIGHT["BuiltOnASigmoid"] = xent.output("quadratic", Warm()), {"stalls"}


RIGHT["BuiltOnASoftmax"] = xent.output("cross-entropy", WarmClasses()), set()


RIGHT["OwnActivation"] = Output(Quadratic(), Arctan()), {"stalls"}


RIGHT["Instance"] = xent.output(Huber(), Identity()), set()


RIGHT["SmoothedOfOnesOwn"] = xent.output(Smooth(PearsonsChiSquare(), epsilon=0.1), Sigmoid()), {"rounded"}
