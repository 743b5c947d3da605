"""Backpropagation as its four equations say it, over a leading axis of lanes, on arrays of any library. The twin of `cpu`.

With a⁰ = x, zˡ = aˡ⁻¹wˡ + bˡ, aˡ = σ(zˡ), samples in rows and δˡ = ∂C/∂zˡ:

    BP1  δᴸ is what the output sends back (`Output.delta`)
    BP2  δˡ = (δˡ⁺¹ wˡ⁺¹ᵀ) ∘ σ′(zˡ)
    BP3  ∂C/∂bˡ = the sum of δˡ over the samples
    BP4  ∂C/∂wˡ = aˡ⁻¹ᵀ δˡ

Reference: Rumelhart, Hinton & Williams (1986); numbered as in Nielsen (2015), chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xent.activations import Activation
from xent.arrays import Array, hot, namespace, quiet
from xent.network.recipe import Recipe, targets
from xent.outputs import Output

Parameters = list[Array]
"""[w₁, b₁, w₂, b₂, …], each (lanes, rows, units)."""

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class State:
    """Where the lanes stand: parameters, what their optimiser remembers of the gradients, and the steps taken."""

    parameters: Parameters
    first: Parameters
    second: Parameters
    steps: int = 0

    @classmethod
    def of(cls, parameters: Parameters) -> State:
        """The start."""
        return cls(parameters, [0 * p for p in parameters], [0 * p for p in parameters])


def forward(parameters: Parameters, hidden: Activation, x: Array) -> list[Array]:
    """a⁰, a¹, … and the logits zᴸ, each (lanes, samples, units); x is (lanes, samples, inputs) or without the lanes."""
    answers = [x]
    for w, b in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        answers.append(hidden(answers[-1] @ w + b))
    return [*answers, answers[-1] @ parameters[-2] + parameters[-1]]


def gradients(parameters: Parameters, hidden: Activation, x: Array, labels: Array, output: Output) -> Parameters:
    """∂C/∂w and ∂C/∂b of every lane, the cost averaged over the samples; x (lanes, samples, inputs), labels (lanes, samples).

    Labels are places of classes and are not looked at: a look at each step would make a GPU wait.
    """
    xp = namespace(x)
    *answers, z = forward(parameters, hidden, x)
    y = xp.astype(hot(labels, z, xp), z.dtype) if output.activation.vector else targets(output, labels, z, xp)
    delta = output._delta(z, y, xp) / x.shape[1]  # BP1
    found: Parameters = []
    for layer in range(len(answers) - 1, -1, -1):
        a = answers[layer]
        found += [xp.sum(delta, axis=1, keepdims=True), xp.matrix_transpose(a) @ delta]  # BP3, BP4
        if layer:
            delta = hidden.pullback(a, delta @ xp.matrix_transpose(parameters[2 * layer]))  # BP2
    return found[::-1]


def updated(state: State, found: Parameters, recipe: Recipe, rates: Array) -> State:
    """One step of the optimiser; rates are (lanes, 1, 1).

    sgd: p − r·g.  momentum: v = μv + g, p − r·v (Polyak, 1964).  adam: Kingma & Ba (2015), algorithm 1.
    """
    parameters, first, second = state.parameters, state.first, state.second
    decay = [recipe.l2 if i % 2 == 0 else 0.0 for i in range(len(found))]
    g = [d + l2 * p if l2 else d for d, p, l2 in zip(found, parameters, decay, strict=True)]
    t = state.steps + 1
    if recipe.optimiser == "sgd":
        moves = g
    elif recipe.optimiser == "momentum":
        first = [recipe.momentum * v + d for v, d in zip(first, g, strict=True)]
        moves = first
    else:
        first = [BETA1 * m + (1 - BETA1) * d for m, d in zip(first, g, strict=True)]
        second = [BETA2 * v + (1 - BETA2) * (d * d) for v, d in zip(second, g, strict=True)]
        bias1, bias2 = 1 - BETA1**t, (1 - BETA2**t) ** 0.5
        moves = [(m / bias1) / (v**0.5 / bias2 + EPSILON) for m, v in zip(first, second, strict=True)]
    return State([p - rates * move for p, move in zip(parameters, moves, strict=True)], first, second, t)


def learn(
    state: State, recipe: Recipe, x: Array, labels: Array, order: Array, outputs: Sequence[tuple[Output, slice]], rates: Array
) -> State:
    """Teach all lanes, one batch after another.

    x (samples, inputs) and labels (samples,) are the same for all lanes; order (lanes, steps, batch) says which rows each lane
    sees when; `outputs` says which lanes have which output.
    """
    hidden = recipe.activation
    xp: Any = namespace(x)
    rates = rates[:, None, None]
    with quiet():
        for step in range(order.shape[1]):
            rows = order[:, step]
            parts = [
                gradients([p[lanes] for p in state.parameters], hidden, x[rows[lanes]], labels[rows[lanes]], output)
                for output, lanes in outputs
            ]
            found = [xp.concat(same, axis=0) for same in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]
            state = updated(state, found, recipe, rates)
    return state
