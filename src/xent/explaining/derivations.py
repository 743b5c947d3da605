"""From a cost and an activation to δ and the gain, line by line: the order stands in `texts`, under the pair's name."""

from __future__ import annotations

from typing import Any

from xent import texts
from xent.costs import Cost, Smooth
from xent.explaining.parts import Line
from xent.explaining.saying import formula_of, stored
from xent.outputs import Output
from xent.outputs.smoothed import Smoothed
from xent.texts.formulas import formulas


def pair_name(shown: Output) -> str:
    """The pair's name without parameters, but with the cost that is wrapped."""
    cost: Cost = shown.cost
    name = f"smooth({cost.cost.name})" if isinstance(cost, Smooth) else cost.name
    return f"{name}@{shown.activation}"


def derivation(shown: Output, language: str = "en") -> tuple[Line, ...]:
    """From the cost and the activation to δ and the gain, line by line.

    >>> from xent.outputs import output
    >>> for line in derivation(output("quadratic@sigmoid"))[-2:]:
    ...     print(line.formula.text())
    δ = ∂C/∂a · σ′(z) = (a − y) · a(1 − a)
    gain = δ/(a − y) = a(1 − a)
    """
    reasons, order = texts.page("explain", language)["reasons"], stored("derivations")
    steps = _steps(shown.beneath if isinstance(shown, Smoothed) else shown, pair_name(shown), order)
    if isinstance(shown, Smoothed):
        steps = [order["smoothed"][shown.activation.name], *steps]
    lines = []
    for step in steps:
        found = formula_of(step["formula"].format(cost=shown.cost.name.replace("-", "_")))
        lines.append(Line(found.also("gain") if step.get("gain") else found, reasons[step["why"]]))
    return tuple(lines)


def _steps(shown: Output, key: str, order: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps under the pair's own name, those of every φ(ℓ), or those that hold for all."""
    pairs, activation = order["pairs"], shown.activation
    if key in pairs:
        return list(pairs[key])
    smoothed, cost = key.startswith("smooth("), shown.cost.name
    if not smoothed and f"{cost.replace('-', '_')}_phi" in formulas() and f"surprisal@{activation}" in pairs:
        return list(pairs[f"surprisal@{activation}"])
    if smoothed and cost in ("cross-entropy", "quadratic"):  # their steps hold for soft targets too
        return list(pairs[f"{cost}@{activation}"])
    return list(order["general"]["softmax" if activation.vector else "elementwise"])
