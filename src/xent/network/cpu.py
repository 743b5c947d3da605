"""Backpropagation for many lanes, all steps of a lane fused into one loop: Numba, in vector instructions. The twin of `plain`.

A lane's parameters and the batch that it sees stay in the first- and second-level cache for all steps of an epoch. Every layer is
padded to whole vectors, and its bias is one more row of its weights, against one more answer that is always 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from xent.activations import ReLU, Sigmoid, Tanh
from xent.arrays import Array
from xent.kernels import Kernel, cached, compiled, held, mathematics, specialised
from xent.network import deltas, products
from xent.network.plain import BETA1, BETA2, EPSILON, Parameters, State
from xent.network.products import padded
from xent.network.recipe import OPTIMISERS, Recipe
from xent.outputs import Output
from xent.threads import share_out

LONGEST = 1 << 29
"""Parameters times samples in one call of the loop, some tenths of a second: only between calls is Ctrl-C heard."""

# ── σ and σ′ of the hidden layers ───────────────────────────────────────────────────────────────────────────────────────────


def _sigmoid(z: Any) -> Any:
    return real(1) / (real(1) + exp_near(-held(z, near)))


def _sigmoid_slope(a: Any) -> Any:
    return a * (real(1) - a)


def _tanh(z: Any) -> Any:
    power, tail = exp_parts(held(real(-2) * z, near))
    minus = power * tail + (power - real(1))
    return -minus / (minus + real(2))


def _tanh_slope(a: Any) -> Any:
    return (real(1) - a) * (real(1) + a)


def _relu(z: Any) -> Any:
    return real(0) if z <= real(0) else z


def _relu_slope(a: Any) -> Any:
    return real(1) if a > real(0) else real(0)


HIDDEN: dict[type, tuple[Any, Any]] = {Sigmoid: (_sigmoid, _sigmoid_slope), Tanh: (_tanh, _tanh_slope), ReLU: (_relu, _relu_slope)}

# ── the loop ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
# `layers` has a row for each: inputs, units, where its parameters start, their row length, where its inputs stand in `work`,
# their row length.

INPUTS, UNITS, PLACE, WIDE, FROM, APART = range(6)


def _lane(
    p: Any, first: Any, second: Any, work: Any, g: Any, x: Any, labels: Any, order: Any, layers: Any, places: Any, taught: Any
) -> None:
    """All steps of one lane; p, first and second are changed in place."""
    delta0, turned0, back0, tall = places
    rate, momentum, l2, c, k, steps = taught
    batch, last = order.shape[1], layers.shape[0] - 1
    seen = np.empty(batch, np.int64)
    for step in range(order.shape[0]):
        start, apart = layers[0, FROM], layers[0, APART]
        for i in range(batch):
            row = order[step, i]
            seen[i] = labels[row]
            for j in range(x.shape[1]):
                work[at(start + i * apart + j)] = x[row, j]
        for m in range(last + 1):  # forward: aᵐ⁺¹ = σ(aᵐ w + b)
            inputs, units, place, wide = layers[m, INPUTS], layers[m, UNITS], layers[m, PLACE], layers[m, WIDE]
            to, apart = (layers[m + 1, FROM], layers[m + 1, APART]) if m < last else (delta0, wide)
            product(work, layers[m, FROM], layers[m, APART], 1, p, place, wide, work, to, apart, batch, wide, inputs + 1)
            if m < last:
                for i in range(to, to + batch * apart, lanes):  # the padding too: a whole number of vectors
                    for j in range(lanes):
                        work[at(i + j)] = sigma(work[at(i + j)])
                for i in range(batch):
                    work[at(to + i * apart + units)] = real(1)
        send_back(work, delta0, layers[last, WIDE], seen, batch, layers[last, UNITS], c, k)  # BP1
        for m in range(last, -1, -1):
            inputs, units, place, wide = layers[m, INPUTS], layers[m, UNITS], layers[m, PLACE], layers[m, WIDE]
            start, apart = layers[m, FROM], layers[m, APART]
            product(work, start, 1, apart, work, delta0, wide, g, place, wide, inputs + 1, wide, batch)  # BP3, BP4
            if m > 0:  # BP2, with samples side by side: back = w·δᵀ
                for i in range(batch):
                    for j in range(units):
                        work[at(turned0 + j * tall + i)] = work[at(delta0 + i * wide + j)]
                product(p, place, wide, 1, work, turned0, tall, work, back0, tall, inputs, tall, units)
                wide = layers[m - 1, WIDE]
                for i in range(batch):
                    for j in range(inputs):
                        a = work[at(start + i * apart + j)]
                        work[at(delta0 + i * wide + j)] = work[at(back0 + j * tall + i)] * slope(a)
                    for j in range(inputs, wide):
                        work[at(delta0 + i * wide + j)] = real(0)
        for m in range(last + 1):
            place, weights = layers[m, PLACE], layers[m, INPUTS] * layers[m, WIDE]
            update(p, g, first, second, place, place + weights, l2, rate, momentum, batch, steps + step + 1)
            update(p, g, first, second, place + weights, place + weights + layers[m, WIDE], real(0), rate, momentum, batch,
                   steps + step + 1)  # fmt: skip


def _sgd(p: Any, g: Any, first: Any, second: Any, start: Any, stop: Any, l2: Any, rate: Any, mu: Any, batch: Any, t: Any) -> None:
    share = real(1) / real(batch)
    for i in range(start, stop, lanes):
        for j in range(i, i + lanes):
            p[at(j)] -= rate * (g[at(j)] * share + l2 * p[at(j)])


def _momentum(
    p: Any, g: Any, first: Any, second: Any, start: Any, stop: Any, l2: Any, rate: Any, mu: Any, batch: Any, t: Any
) -> None:
    share = real(1) / real(batch)
    for i in range(start, stop):
        first[at(i)] = mu * first[at(i)] + (g[at(i)] * share + l2 * p[at(i)])
        p[at(i)] -= rate * first[at(i)]


def _adam(p: Any, g: Any, first: Any, second: Any, start: Any, stop: Any, l2: Any, rate: Any, mu: Any, batch: Any, t: Any) -> None:
    share = real(1) / real(batch)
    bias1, bias2 = real(1 / (1 - BETA1**t)), real((1 / (1 - BETA2**t)) ** 0.5)
    beta1, beta2, rest1, rest2 = real(BETA1), real(BETA2), real(1 - BETA1), real(1 - BETA2)
    for i in range(start, stop):
        d = g[at(i)] * share + l2 * p[at(i)]
        first[at(i)] = beta1 * first[at(i)] + rest1 * d
        second[at(i)] = beta2 * second[at(i)] + rest2 * (d * d)
        p[at(i)] -= rate * (first[at(i)] * bias1) / (np.sqrt(second[at(i)]) * bias2 + real(EPSILON))


UPDATES = dict(zip(OPTIMISERS, (_sgd, _momentum, _adam), strict=True))


@cache
def kernel(cost: type, activation: type, hidden: type, optimiser: str, dtype: str) -> Kernel:
    """The loop of one lane for one output, hidden activation, optimiser and number type."""
    names = vars(mathematics(dtype)) | {
        "held": held,
        "product": products.product(dtype),
        "lanes": products.lanes(dtype),
        "at": products.at,
    }
    kind = f"{cost.__name__}_{activation.__name__}_{hidden.__name__}_{optimiser}_{dtype}"
    sigma, slope = HIDDEN[hidden]
    names["sigma"] = compiled(specialised(sigma, f"sigma_{kind}", **names))
    names["slope"] = compiled(specialised(slope, f"slope_{kind}", **names))
    names["update"] = compiled(specialised(UPDATES[optimiser], f"update_{kind}", **names), inline=False)
    names["send_back"] = deltas.send_back(cost, activation, dtype)
    loop = compiled(specialised(_lane, f"lane_{kind}", **names), inline=False)
    return cached(loop, __file__, deltas.__file__, products.__file__)


def knows(output: Output, recipe: Recipe) -> bool:
    """Whether there is a fused loop for this output in such networks."""
    return type(recipe.activation) in HIDDEN and deltas.knows(output)


# ── parameters as the loop holds them ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Layout:
    """Where each layer's parameters stand in the flat array of a lane, and its answers in the work space."""

    layers: Array
    places: tuple[int, int, int, int]
    size: int
    work: int

    @classmethod
    def of(cls, sizes: tuple[int, ...], batch: int, dtype: str) -> Layout:
        """The layout of a network taught in batches of this size."""
        rows, place, room = [], 0, 0
        for n, m in pairwise(sizes):
            wide, apart = padded(m, dtype), padded(n + 1, dtype)
            rows.append((n, m, place, wide, room, apart))
            place += (n + 1) * wide
            room += batch * apart
        widest, tall = padded(max(sizes), dtype), padded(batch, dtype)
        delta0, turned0, back0 = room, room + batch * widest, room + (batch + tall) * widest
        return cls(np.asarray(rows, np.int64), (delta0, turned0, back0, tall), place, back0 + tall * widest)

    def packed(self, parameters: Parameters) -> Array:
        """(lanes, size), the padding 0."""
        lanes, dtype = parameters[0].shape[0], parameters[0].dtype
        flat = np.zeros((lanes, self.size), dtype)
        for (n, m, place, wide, _, _), w, b in zip(self.layers.tolist(), parameters[::2], parameters[1::2], strict=True):
            both = flat[:, place : place + (n + 1) * wide].reshape(lanes, n + 1, wide)
            both[:, :n, :m], both[:, n:, :m] = w, b
        return flat

    def unpacked(self, flat: Array) -> Parameters:
        """The parameters as `plain` has them."""
        parameters = []
        for n, m, place, wide, _, _ in self.layers.tolist():
            both = flat[:, place : place + (n + 1) * wide].reshape(len(flat), n + 1, wide)
            parameters += [both[:, :n, :m].copy(), both[:, n:, :m].copy()]
        return parameters


def learn(
    state: State,
    recipe: Recipe,
    x: Array,
    labels: Array,
    order: Array,
    outputs: Sequence[tuple[Output, slice]],
    rates: Array,
    *,
    threads: bool = False,
) -> State:
    """As `plain.learn`, for NumPy arrays of float32 or float64 and outputs that this file `knows`.

    `threads` shares the lanes out; a lane's bits do not depend on it.
    """
    dtype = x.dtype
    layout = Layout.of(recipe.sizes, order.shape[2], dtype.name)
    p, first, second = (layout.packed(part) for part in (state.parameters, state.first, state.second))
    taught: list[Any] = [None] * len(p)
    for output, lanes in outputs:
        loop = kernel(type(output.cost), type(output.activation), type(recipe.activation), recipe.optimiser, dtype.name)
        c, k = (dtype.type(v) for v in deltas.numbers(output))
        for lane in range(*lanes.indices(len(p))):
            numbers = dtype.type(rates[lane]), dtype.type(recipe.momentum), dtype.type(recipe.l2), c, k
            taught[lane] = loop, numbers
    x, labels, order = np.ascontiguousarray(x), labels.astype(np.int64), np.ascontiguousarray(order, np.int64)

    longest = max(1, LONGEST // (layout.size * order.shape[2]))

    def teach(start: int, stop: int) -> Iterator[None]:
        work, g = np.zeros(layout.work, dtype), np.empty(layout.size, dtype)
        for i in range(order.shape[2]):  # the bias's answer
            work[i * layout.layers[0, APART] + recipe.sizes[0]] = 1
        for lane in range(start, stop):
            loop, numbers = taught[lane]
            for done in range(0, order.shape[1], longest):
                yield
                some, now = order[lane, done : done + longest], (*numbers, np.int64(state.steps + done))
                loop(p[lane], first[lane], second[lane], work, g, x, labels, some, layout.layers, layout.places, now)

    if threads:
        share_out(teach, len(p), 1)
    else:
        deque(teach(0, len(p)), maxlen=0)
    return State(layout.unpacked(p), layout.unpacked(first), layout.unpacked(second), state.steps + order.shape[1])
