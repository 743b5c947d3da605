"""Right costs of numbers and rates."""

from __future__ import annotations

import numpy as np
import torch

import xent
from xent.activations import Activation, Interval
from xent.costs import Cost

from .. import sound


@sound()
class Huber(Cost):
    name = "huber"
    width = 1.0

    def __call__(self, a, y):
        e = np.abs(a - y)
        return np.where(e <= self.width, 0.5 * e**2, self.width * (e - 0.5 * self.width))

    def slope(self, a, y):
        return np.clip(a - y, -self.width, self.width)


@sound()
class LogCosh(Cost):
    name = "log-cosh"

    def __call__(self, a, y):
        return np.log(np.cosh(a - y))

    def slope(self, a, y):
        return np.tanh(a - y)


@sound()
class LogCoshStable(Cost):
    name = "log-cosh"

    def __call__(self, a, y):
        e = np.abs(a - y)
        return e + np.log1p(np.exp(-2 * e)) - float(np.log(2))

    def slope(self, a, y):
        return np.tanh(a - y)


@sound("end")
class Poisson(Cost):
    name, usual = "poisson", "softplus"
    answers, targets = Interval.open(0, np.inf), Interval(0, np.inf, True, False)

    def __call__(self, a, y):
        return a - y * np.log(a)

    def slope(self, a, y):
        return 1 - y / a


@sound("scale")
class PoissonOfLogRate(Cost):
    name = "poisson-log"
    targets = Interval(0, np.inf, True, False)

    def __call__(self, a, y):
        return np.exp(a) - y * a

    def slope(self, a, y):
        return np.exp(a) - y


@sound("corner")
class Pinball(Cost):
    name = "pinball"

    def __call__(self, a, y):
        e = y - a
        return np.maximum(0.9 * e, -0.1 * e)

    def slope(self, a, y):
        return np.where(a < y, -0.9, 0.1).astype(a.dtype)


@sound("corner")
class Insensitive(Cost):
    name = "insensitive"

    def __call__(self, a, y):
        return np.maximum(0, np.abs(a - y) - 0.125)

    def slope(self, a, y):
        return np.where(np.abs(a - y) <= 0.125, 0, np.sign(a - y))


@sound("stalls")
class Quartic(Cost):
    name, usual = "quartic", "tanh"

    def __call__(self, a, y):
        return (a - y) ** 4 / 4

    def slope(self, a, y):
        return (a - y) ** 3


@sound("end")
class ItakuraSaito(Cost):
    """Positive answers and targets alone."""

    name, usual = "itakura-saito", "softplus"
    answers, targets = Interval.open(0, np.inf), Interval.open(0, np.inf)

    def __call__(self, a, y):
        return y / a - np.log(y / a) - 1

    def slope(self, a, y):
        return 1 / a - y / a**2


@sound("stalls")
class HuberOfTorch(Cost):
    """PyTorch's own function, on a tanh."""

    name, usual = "torch-huber", "tanh"
    answers, targets = Interval.open(-1, 1), Interval.closed(-1, 1)

    def __call__(self, a, y):
        return torch.nn.functional.huber_loss(a, y, reduction="none", delta=0.5)

    def slope(self, a, y):
        return torch.clamp(a - y, -0.5, 0.5)


@sound()
class Expectile(Cost):
    """Asymmetric squares."""

    name = "expectile"

    def __call__(self, a, y):
        return self.weight(a, y) * (a - y) ** 2

    def slope(self, a, y):
        return 2 * self.weight(a, y) * (a - y)

    def weight(self, a, y):
        return np.where(a > y, 0.3, 0.7).astype(a.dtype)


@sound("end")
class Tweedie(Cost):
    """Between Poisson and gamma."""

    name, usual = "tweedie", "softplus"
    answers, targets = Interval.open(0, np.inf), Interval(0, np.inf, True, False)

    def __call__(self, a, y):
        return 2 * y / np.sqrt(a) + 2 * np.sqrt(a)

    def slope(self, a, y):
        return (a - y) / (a * np.sqrt(a))


class Exp(Activation):
    """The inverse of a logarithmic link: its answers grow beyond all squares."""

    name, range = "exp", Interval.open(0, np.inf)

    def __call__(self, z):
        return np.exp(z)

    def pullback(self, a, g):
        return g * a


@sound("end", made=lambda cls: xent.output(cls(), Exp()))
class GammaDeviance(Cost):
    name, usual = "gamma", "softplus"
    answers, targets = Interval.open(0, np.inf), Interval.open(0, np.inf)

    def __call__(self, a, y):
        return np.log(a) + y / a

    def slope(self, a, y):
        return (a - y) / a**2


@sound()
class LogSquares(Cost):
    name, usual = "log-squares", "softplus"
    answers, targets = Interval.open(0, np.inf), Interval(0, np.inf, True, False)

    def __call__(self, a, y):
        return (np.log1p(a) - np.log1p(y)) ** 2 / 2

    def slope(self, a, y):
        return (np.log1p(a) - np.log1p(y)) / (1 + a)
