"""Right costs of one probability, or of its logit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import torch
from array_api_compat import array_namespace

from xent.activations import Interval
from xent.costs import Cost

from .. import sound


@sound("end", "rounded")
class TextbookEntropy(Cost):
    """Straight from the page, with the open domain declared."""

    name, usual = "textbook", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return -(y * np.log(a) + (1 - y) * np.log(1 - a))

    def slope(self, a, y):
        return (a - y) / (a * (1 - a))


def xlogy(x, y):
    return np.where(x == 0, x, x * np.log(np.where(x == 0, 1, y)))


@sound("rounded")
class EntropyWithXlogy(Cost):
    name, usual = "xlogy", "sigmoid"

    def __call__(self, a, y):
        return -xlogy(y, a) - xlogy(1 - y, 1 - a)

    def slope(self, a, y):
        return np.where(y == 1, 0, (1 - y) / (1 - a)) - np.where(y == 0, 0, y / a)


@sound("softened")
class EntropyWithEpsilon(Cost):
    name, usual = "epsilon", "sigmoid"

    def __call__(self, a, y):
        return -(y * np.log(a + 1e-12) + (1 - y) * np.log(1 - a + 1e-12))

    def slope(self, a, y):
        return -y / (a + 1e-12) + (1 - y) / (1 - a + 1e-12)


@sound("scale")
class EntropyOfLogits(Cost):
    name = "with-logits"
    targets = Interval.closed(0, 1)

    def __call__(self, a, y):
        return np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a)))

    def slope(self, a, y):
        return 1 / (1 + np.exp(-a)) - y


@sound("stalls")
class Lopsided(Cost):
    """Too much costs three times what too little does."""

    name, usual = "lopsided", "sigmoid"

    def __call__(self, a, y):
        e = a - y
        return np.where(e > 0, 3 * e, e) * e / 2

    def slope(self, a, y):
        e = a - y
        return np.where(e > 0, 3 * e, e)


@sound("stalls")
class InTorch(Cost):
    """Nothing but PyTorch's own functions."""

    name, usual = "torch-only", "sigmoid"

    def __call__(self, a, y):
        return torch.square(torch.sub(a, y)) / 2

    def slope(self, a, y):
        return torch.sub(a, y)


@sound("stalls")
class InJax(Cost):
    """JAX's functions take NumPy's arrays, but return their own."""

    name, usual = "jax-only", "sigmoid"

    def __call__(self, a, y):
        return jnp.square(a - y) / 2

    def slope(self, a, y):
        return jnp.subtract(a, y)


@sound("end", "rounded")
class SlopeByAutograd(Cost):
    name, usual = "autograd", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return torch.nn.functional.softplus(-torch.logit(a)) * y + torch.nn.functional.softplus(torch.logit(a)) * (1 - y)

    def slope(self, a, y):
        a = a.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self(a, y).sum(), a)
        return slope


@sound("rounded")
class AnyNamespace(Cost):
    name, usual = "any-namespace", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        xp = array_namespace(a, y)
        zero = xp.zeros_like(a)
        return -xp.where(y > 0, y * xp.log(a), zero) - xp.where(y < 1, (1 - y) * xp.log1p(-a), zero)

    def slope(self, a, y):
        xp = array_namespace(a, y)
        return xp.where(y < 1, (1 - y) / (1 - a), xp.zeros_like(a)) - xp.where(y > 0, y / a, xp.zeros_like(a))


@sound("rounded")
class KullbackLeibler(Cost):
    """Cross-entropy less the entropy of the target: rounding is worst where it is least."""

    name, usual = "kl", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return xlogy(y, y) - xlogy(y, a) + xlogy(1 - y, 1 - y) - xlogy(1 - y, 1 - a)

    def slope(self, a, y):
        return np.where(y == 1, 0, (1 - y) / (1 - a)) - np.where(y == 0, 0, y / a)


@sound("improper", "stalls")
class Tversky(Cost):
    """Misses weigh more than false alarms."""

    name, usual = "tversky", "sigmoid"
    answers, targets = Interval.closed(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        both = a * y + 1
        return 1 - both / (both + 0.3 * a * (1 - y) + 0.7 * (1 - a) * y)

    def slope(self, a, y):
        both = a * y + 1
        below = both + 0.3 * a * (1 - y) + 0.7 * (1 - a) * y
        return -(y * below - both * (y + 0.3 * (1 - y) - 0.7 * y)) / below**2


@sound()
class Jeffreys(Cost):
    """Infinite for hard targets, and says so: its targets are open."""

    name, usual = "jeffreys", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.open(0, 1)

    def __call__(self, a, y):
        return (a - y) * (np.log(a / (1 - a)) - np.log(y / (1 - y)))

    def slope(self, a, y):
        return np.log(a / (1 - a)) - np.log(y / (1 - y)) + (a - y) / (a * (1 - a))


@sound("end", "rounded")
class PearsonsChiSquare(Cost):
    name, usual = "chi-square", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        return (y - a) ** 2 / (a * (1 - a))

    def slope(self, a, y):
        spread = a * (1 - a)
        return (2 * (a - y) * spread - (y - a) ** 2 * (1 - 2 * a)) / spread**2


@sound("scale")
class Heated(Cost):
    """Cross-entropy of scores at the temperature 3."""

    name = "heated"
    targets = Interval.closed(0, 1)

    def __call__(self, a, y):
        return np.logaddexp(0, -a / 3) * y + np.logaddexp(0, a / 3) * (1 - y)

    def slope(self, a, y):
        return (0.5 + 0.5 * np.tanh(a / 6) - y) / 3


@sound()
class DistanceOfLogits(Cost):
    """Of soft targets only: a hard one has no logit."""

    name, usual = "distance-of-logits", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.open(0, 1)

    def __call__(self, a, y):
        return (self.logit(a) - self.logit(y)) ** 2 / 2

    def slope(self, a, y):
        return (self.logit(a) - self.logit(y)) / (a * (1 - a))

    def logit(self, p):
        return np.log(p) - np.log1p(-p)


@sound("end", "rounded")
class EntropyByMasks(Cost):
    name, usual = "masks", "sigmoid"
    answers, targets = Interval.open(0, 1), Interval.closed(0, 1)

    def __call__(self, a, y):
        out = np.zeros_like(a)
        some = np.asarray(y) > 0
        out[some] -= y[some] * np.log(a[some])
        some = np.asarray(y) < 1
        out[some] -= (1 - y[some]) * np.log1p(-a[some])
        return out

    def slope(self, a, y):
        return (a - y) / (a * (1 - a))
