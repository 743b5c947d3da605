"""The page about an activation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from xent import texts
from xent.activations import Activation
from xent.explaining.parts import Fact, Page, Plot, Section
from xent.explaining.samples import BADLY, badly_wrong
from xent.explaining.saying import code_of, formula_of, number, signs, stored
from xent.outputs import catalogue


def of_activation(shown: Activation, language: str) -> Page:
    """The page about it, with the slope in place of the gain."""
    words = texts.page("explain", language)
    own, said = words["activations"][shown.name], words["words"]
    x = np.linspace(0.0, 1.0, 101) if shown.vector else np.linspace(-8.0, 8.0, 101)
    plot = Plot(said["slope"], words["axes"]["own" if shown.vector else "z"], "", x, slope(shown, x))
    places = {"0": 0.5, "4": BADLY} if shown.vector else {"m4": -4.0, "0": 0.0, "4": 4.0, "8": 8.0}
    values = {f"slope_{name}": number(float(slope(shown, np.asarray([at]))[0])) for name, at in places.items()}
    sections = [Section(id, said[id], own[id].format(far=BADLY, **values)) for id in ("saturates", "use", "avoid")]
    return Page(
        name=shown.name,
        subject=shown,
        language=language,
        title=own["title"],
        aka=own["aka"],
        idea=own["idea"],
        formulas=tuple(formula_of(key) for key in stored("derivations")["activations"][shown.name]),
        facts=(Fact("range", said["range"], signs(shown.range)),),
        axis="p" if shown.vector else "z",
        plot=plot,
        derivation=(),
        samples=(),
        sections=tuple(sections),
        others=badly_wrong(o for o in catalogue() if o.activation.name == shown.name),
        code=code_of(shown.name, {}, words),
        source=own["source"],
    )


def slope(shown: Activation, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """σ′ at the weighted inputs x; of a softmax the slope of a class by its own logit, at the probabilities x.

    >>> from xent.activations import Sigmoid
    >>> slope(Sigmoid(), np.asarray([0.0]))
    array([0.25])
    """
    if not shown.vector:
        return np.asarray(shown.pullback(shown(x), np.ones_like(x)))
    p = np.stack([x, 1 - x], axis=-1)
    return np.asarray(shown.pullback(p, np.asarray([1.0, 0.0]) * np.ones_like(p))[..., 0])
