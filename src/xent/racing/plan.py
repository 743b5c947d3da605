"""The plan of a race: every choice, fixed before the first network learns, and its hash. What a race does is a function of it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any

from xent import __version__
from xent.data import Data
from xent.errors import InputError
from xent.network import Recipe
from xent.network.recipe import ends
from xent.outputs import Output
from xent.outputs import output as output_named
from xent.outputs.own import own_kinds
from xent.outputs.registry import pair
from xent.racing import devices

OUTPUTS = ("quadratic@sigmoid", "cross-entropy@sigmoid", "cross-entropy@softmax", "quadratic@softmax", "quadratic@identity")
RATES = {
    "sgd": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    "momentum": (0.003, 0.01, 0.03, 0.1, 0.3),
    "adam": (0.0003, 0.001, 0.003, 0.01, 0.03),
}
"""The grids that a race starts with; a best rate on the edge makes the grid grow."""

LARGEST = 100_000
"""More seeds than this are a slip of the hand."""


@dataclass(frozen=True)
class Plan:
    """Every choice of a race. Two races with the same plan have the same table, to the last bit on one kind of processor.

    `rates` is the grid that each output's own best rate is picked from; `tuning_seeds` and `seeds` count the starts that rates are
    picked and judged on, which are never the same. `goal` is an accuracy on the test part, in how many epochs of which it is first
    reached being the second question of the race; None: 0.95 of the best accuracy that any output had in tuning, in whole
    percents. `independent` gives every output batches of its own (in a fair race they share them).
    """

    data: str
    fingerprint: str
    classes: int
    features: int
    outputs: tuple[str, ...]
    hidden: tuple[int, ...] = (30,)
    activation: str = "sigmoid"
    init: str = "lecun"
    optimiser: str = "sgd"
    momentum: float = 0.9
    l2: float = 0.0
    batch: int = 10
    epochs: int = 30
    rates: tuple[float, ...] = RATES["sgd"]
    tuning_seeds: int = 2
    seeds: int = 10
    first_seed: int = 0
    goal: float | None = None
    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    resplit: bool = False
    independent: bool = False
    precision: float | None = None
    dtype: str = "float32"
    device: str = devices.CPU
    sources: tuple[str, ...] = ()
    version: str = __version__

    @property
    def recipe(self) -> Recipe:
        """The networks of the race."""
        sizes = (self.features, *self.hidden, self.classes)
        return Recipe(sizes, self.activation, self.init, self.optimiser, self.momentum, self.l2, self.batch)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each side; an output that comes twice is numbered."""
        named = self.outputs
        return tuple(n if named.count(n) == 1 else f"{n} #{named[: i + 1].count(n)}" for i, n in enumerate(named))

    @property
    def hash(self) -> str:
        """The plan as 16 hexadecimal digits; the number of seeds, to which more can be added, left out."""
        return hashlib.sha256(json.dumps(self.fixed, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def fixed(self) -> dict[str, Any]:
        """What cannot change without another race: all but how many seeds judge."""
        return {k: v for k, v in json.loads(self.as_json()).items() if k not in ("seeds", "precision")}

    def as_json(self) -> str:
        """The plan as text."""
        return json.dumps(asdict(self), sort_keys=True)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """What a stored plan says otherwise, as 'name: there, here'."""
        here = self.fixed
        return [f"{k}: {other.get(k)!r} there, {v!r} here" for k, v in here.items() if other.get(k) != v]

    def with_seeds(self, seeds: int) -> Plan:
        """The same plan with more seeds."""
        return replace(self, seeds=seeds)


def plan(data: Data, outputs: Sequence[Any] = OUTPUTS, **choices: Any) -> tuple[Plan, tuple[Output, ...]]:
    """The plan of a race on these data and its outputs, every choice checked; errors say what to do instead."""
    known = {f.name for f in fields(Plan)} - {"data", "fingerprint", "classes", "features", "outputs", "sources", "version"}
    for name in choices:
        if name not in known:
            raise InputError(f"a race has no choice {name!r}; there are {', '.join(sorted(known))}.")
    chosen = _outputs(outputs)
    given = {k: v for k, v in choices.items() if v is not None}
    hidden = given.pop("hidden", (30,))
    given["hidden"] = tuple(hidden) if isinstance(hidden, Sequence) else (hidden,)
    given["rates"] = _rates(given.get("rates", RATES.get(given.get("optimiser", "sgd"), RATES["sgd"])))
    for name, least in (("epochs", 1), ("seeds", 1), ("tuning_seeds", 1), ("first_seed", 0), ("batch", 1)):
        if name in given and (
            isinstance(given[name], bool) or not isinstance(given[name], int) or not least <= given[name] <= LARGEST
        ):
            raise InputError(f"{name} is a whole number from {least} to {LARGEST:,}, but {given[name]!r} came.")
    for name in ("goal", "precision"):
        if name in given and not (isinstance(given[name], (int, float)) and 0 < given[name] <= 1):
            raise InputError(f"{name} is an accuracy between 0 and 1, such as 0.95 or 0.005, but {given[name]!r} came.")
    if given.get("dtype", "float32") not in ("float32", "float64"):
        raise InputError(f"dtype is float32 or float64, but {given['dtype']!r} came.")
    given["device"] = devices.named(given.get("device", devices.CPU))
    if "shares" in given:
        given["shares"] = tuple(float(s) for s in given["shares"])
    made = Plan(data.name, data.fingerprint, len(data.classes), data.x.shape[1], tuple(map(str, chosen)),
                sources=tuple(filter(None, map(_source, chosen))), **given)  # fmt: skip
    made.recipe  # noqa: B018  # refuses layers, activations and optimisers that there are not
    return made, chosen


def _outputs(names: Sequence[Any] | str) -> tuple[Output, ...]:
    """The outputs, each able to answer with one number for each class."""
    if not isinstance(names, (str, Output, Iterable)):
        raise InputError(f"outputs are a list of names, such as ['cross-entropy@softmax'], but {names!r} came.")
    chosen = tuple(output_named(one) for one in ([names] if isinstance(names, (str, Output)) else names))
    if not chosen:
        raise InputError("a race needs at least one output, such as cross-entropy@softmax.")
    for one in chosen:
        if not one.activation.vector:
            low, high = ends(one)
            if not low < high:
                raise InputError(f"{one} has no two targets for right and wrong classes.")
    return chosen


def _rates(rates: Any) -> tuple[float, ...]:
    """The grid, ascending, each rate once."""
    given = [rates] if isinstance(rates, (int, float)) else list(rates)
    if not given or any(isinstance(r, bool) or not isinstance(r, (int, float)) or not isfinite(r) or r <= 0 for r in given):
        raise InputError(f"a rate is a positive finite number, and a race needs one or more of them, but {given!r} came.")
    return tuple(sorted({float(r) for r in given}))


def _source(output: Output) -> str:
    """A hash of the source of a user's own cost or activation, whose name alone says nothing about its formula."""
    own = own_kinds(output)
    if not own and type(output) is type(pair(output.cost, output.activation)):
        return ""
    try:
        text = "".join(inspect.getsource(kind) for kind in own)
    except (OSError, TypeError):
        text = repr(output)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
