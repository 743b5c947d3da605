"""Where answers meet targets: every place on the way to the cost at which something that learns is compared with something given.

A cost function of PyTorch is a site with its arguments; costs written by hand are found by what they do: a logarithm of a
probability picked or weighted by a target, a difference that is squared or taken absolutely, a margin y·s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from xent.doctor import ours
from xent.doctor.carrying import VIEWS, leads, original
from xent.doctor.natures import MIXING, REACH, Nature, Natures
from xent.doctor.trace import Call, Step, Trace, Value
from xent.outputs import Output

FORMS = {
    "cross_entropy": "cross-entropy", "nll_loss": "nll", "binary_cross_entropy": "bce", "mse_loss": "squared",
    "l1_loss": "absolute",
    "binary_cross_entropy_with_logits": "bce-logits", "multilabel_soft_margin_loss": "bce-logits", "smooth_l1_loss": "huber",
    "huber_loss": "huber", "kl_div": "kl", "poisson_nll_loss": "poisson", "gaussian_nll_loss": "gaussian",
    "soft_margin_loss": "logistic", "hinge_embedding_loss": "hinge-embedding", "multi_margin_loss": "multi-margin",
}  # fmt: skip
"""What PyTorch's cost functions do with (input, target)."""

ERRORS = ("squared", "absolute", "huber")
"""Costs of the difference a − y."""


@dataclass(eq=False)
class Site:
    """One such place. `axis` is the class axis of the input, None where the cost is elementwise."""

    form: str
    input: Value
    target: Any = None
    axis: int | None = None
    call: Call | None = None
    step: Step | None = None
    nature: Nature = field(default=None, repr=False)  # type: ignore[assignment]
    both: bool = True
    """For logarithms of a sigmoid by hand: whether log(1 − a) is there as well as log a."""
    output: Output | None = None
    """xent's output on the input as it is, where a cost of xent was given logits: its closed forms are exact."""

    @property
    def raised(self) -> str:
        """What PyTorch said, where the call failed."""
        return self.call.raised if self.call else ""

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the call."""
        return default if self.call is None else self.call.args.get(name, default)

    @property
    def indexed(self) -> bool:
        """Whether a cost function takes class numbers here."""
        known = self.form in ("cross-entropy", "nll", "multi-margin")
        return known or ((self.output is not None or self.form in ERRORS) and self.axis is not None)

    @property
    def by_hand(self) -> bool:
        """Whether no cost function of PyTorch or xent was called."""
        return self.call is None


def find(trace: Trace, natures: Natures, *, own: bool) -> list[Site]:
    """All sites in the order in which they ran; `own` says that the model computes its cost itself."""
    sites = [site for call in trace.calls if (site := _of_call(call, natures)) is not None]
    free = [s for s in trace.steps if s.call is None and s.outs and s.grad and (own or not s.in_model)]
    known = {original(site.nature.z).id for site in sites}
    by_hand = [
        *_logarithms(free, natures, trace, own), *_partitions(free, natures), *_differences(free, natures), *_margins(free, natures)
    ]  # fmt: skip
    return sites + [site for site in by_hand if original(site.nature.z).id not in known or site.form not in ERRORS]


def _of_call(call: Call, natures: Natures) -> Site | None:
    a = call.args.get("input")
    if not isinstance(a, Value):
        return None
    if isinstance(call.args.get("output"), Output):
        return _of_ours(call, a, natures)
    if call.name == "gaussian_nll_loss":
        return Site("gaussian", a, call.args.get("target"), None, call, nature=natures.of(a))
    form = FORMS.get(call.name)
    if form is None:
        return None
    target = call.args.get("target")
    swapped = isinstance(target, Value) and form in (*ERRORS, "bce") and target.learns and not a.learns
    if swapped and isinstance(target, Value):
        a, target = target, a
    if isinstance(target, Value) and target.learns and a.learns and form in ERRORS:
        return None  # two answers compared with each other
    axis = (1 if len(a.shape) > 1 else 0) if form in ("cross-entropy", "nll", "multi-margin") else None
    nature = natures.of(a)
    if form == "kl":
        told = natures.of(target).axis if isinstance(target, Value) else None
        axis = next((i for i in (nature.axis, told) if i is not None), 1 if len(a.shape) > 1 else None)
    return Site(form, a, target, axis, call, nature=nature)


def _of_ours(call: Call, a: Value, natures: Natures) -> Site:
    """The site of xent's own cost, whose activation is part of it."""
    output, target = call.args["output"], call.args.get("target")
    form, nature, squash = ours.form(output), natures.of(a), output.activation.name
    axis = call.args.get("axis") if output.activation.vector else None
    if nature.squashed or nature.is_log:
        if form in ERRORS and squash in REACH:
            form = "cross-entropy" if squash == "softmax" else "bce-logits"  # what wants logits, whatever it makes of them
        return Site(form, a, target, axis, call, nature=nature)
    if form in ERRORS and squash in REACH:
        nature = Nature(squash, a, axis, low=REACH[squash][0], high=REACH[squash][1])
    elif form in ERRORS and squash != "identity":
        nature = Nature("rectified", a, inner=squash)
    return Site(form, a, target, axis, call, nature=nature, output=output)


def _logarithms(steps: list[Step], natures: Natures, trace: Trace, own: bool) -> list[Site]:
    """Cross-entropy by hand: logarithms of a softmax or a sigmoid, and what picks or weights them."""
    groups: dict[tuple[int, str], list[tuple[Step, Value]]] = {}
    for step in trace.steps:
        if step.call is not None or not step.outs or not step.grad:
            continue
        out = step.outs[0]
        nature = natures.of(out)
        if nature.is_log and out.learns and nature.step is not None:
            groups.setdefault((original(nature.z).id, nature.inner), []).append((step, out))
    sites = []
    consumed = {original(natures.of(v).z).id for call in trace.calls for v in call.args.values() if isinstance(v, Value)}
    for (z, inner), logs in groups.items():
        if z in consumed:
            continue
        made = _softmax_site(logs, natures, steps) if inner == "softmax" else _sigmoid_site(logs, natures, steps)
        if made is not None:
            sites.append(made)
    return sites


def _partitions(steps: list[Step], natures: Natures) -> list[Site]:
    """Cross-entropy of a sigmoid as log(1 + e^z) − yz, by hand, and the Poisson cost e^z − yz: z times the target, and the rest."""
    rest: dict[int, set[str]] = {}
    for step in steps:
        if step.op in ("softplus", "exp", "log1p", "relu", "clamp_min", "clamp", "abs", "logaddexp", "maximum"):
            for z in (v for v in step.ins if v.learns):
                inside = z.made_by.ins[0] if z.made_by is not None and z.made_by.op == "neg" else z
                rest.setdefault(original(inside).id, set()).add(step.op)
    sites: dict[int, Site] = {}
    for step in steps:
        learned = [v for v in step.ins if v.learns] if step.op == "mul" else []
        given = [v for v in step.ins if not v.learns and v.tensor.numel() > 1]
        if len(learned) != 1 or len(given) != 1 or not _of_batch(given[0]) or _complement(given[0]) is not None:
            continue
        z, y = learned[0], given[0]
        there = rest.get(original(z).id, set())
        stable = "abs" in there and there & {"relu", "clamp_min", "clamp", "maximum"}
        if (there & {"softplus", "logaddexp"} or stable) and _opposite(step.outs[0], z):
            form = "bce-logits"
        elif there == {"exp"} and natures.of(z).kind == "raw" and not _log1p_of_exp(z, steps):
            form = "poisson"
        else:
            form = _softplus_pair(z, y, steps)
            z = z.made_by.ins[0].made_by.ins[0] if form and z.made_by and z.made_by.ins[0].made_by else z
        if form:
            sites.setdefault(original(z).id, Site(form, z, _unscaled(y), step=step, nature=natures.of(z)))
    return list(sites.values())


def _opposite(product: Value, z: Value) -> bool:
    """Whether yz is taken from log(1 + e^z), in whatever form, without a factor at either."""
    for step in product.used_by:
        others = [v for v in step.ins if v is not product]
        if not step.outs:
            continue
        if step.op in VIEWS or step.op == "neg":
            return _opposite(step.outs[0], z)
        if step.op not in ("sub", "rsub", "add") or not others or step.argument(2, "alpha", 1) != 1:
            continue
        made = others[0].made_by
        parts = [v.made_by for v in (others[0], *(made.ins if made is not None and made.op in ("add", "sub") else ()))]
        if any(p is not None and p.op in ("softplus", "logaddexp", "relu", "clamp_min", "clamp", "maximum") for p in parts):
            return True
    return False


def _unscaled(value: Value) -> Value:
    """The targets without a constant factor, the weight of a class."""
    while value.made_by is not None and value.made_by.op in ("mul", "div") and value.made_by.ins:
        parts = [v for v in value.made_by.ins if _of_batch(v)]
        if len(parts) != 1:
            return value
        value = parts[0]
    return value


def _log1p_of_exp(z: Value, steps: list[Step]) -> bool:
    """Whether e^z goes on into log(1 + e^z), or is divided by, as in a softmax."""
    powers = [s.outs[0] for s in steps if s.op == "exp" and s.ins and original(s.ins[0]) is original(z)]
    onward = [(v, s) for v in powers for s in v.used_by if s.outs and s.op in ("log1p", "add", "div", "log", "sum")]
    return any(len(s.outs[0].shape) >= len(v.shape) for v, s in onward)


def _softplus_pair(product: Value, y: Value, steps: list[Step]) -> str:
    """The form of y·log(1 + e^−z) beside (1 − y)·log(1 + e^z), given the first."""
    made = product.made_by
    if made is None or made.op != "softplus" or made.ins[0].made_by is None or made.ins[0].made_by.op != "neg":
        return ""
    z = original(made.ins[0].made_by.ins[0])
    other = any(s.op == "softplus" and original(s.ins[0]) is z for s in steps)
    return "bce-logits" if other else ""


def _softmax_site(logs: list[tuple[Step, Value]], natures: Natures, steps: list[Step]) -> Site | None:
    z, axis = original(natures.of(logs[0][1]).z), natures.of(logs[0][1]).axis
    for step in steps:
        x = next((v for v in step.ins if v.learns and _is_of(natures, v, z)), None)
        if x is None or step.op not in ("gather", "index", "take_along_dim", "mul", "nll_loss_forward", "dot", "mm", "xlogy"):
            continue
        nature = natures.of(x)
        if nature.picked:
            continue
        if nature.kind == "raw" and step.op == "mul":  # log Σe^z − Σyz
            nature = Nature("log", z, axis, inner="softmax", step=natures.of(logs[0][1]).step)
            if not any(_of_batch(v) and v.shape == x.shape for v in step.ins if not v.learns):
                continue
        site = _picked(step, x, nature, z)
        if site is not None:
            return site
    for step, value in logs:
        nature = natures.of(value)
        y = next((f for f in _factors(value) if f.shape == value.shape and _of_batch(f)), None)
        if y is not None and not nature.turned and not nature.picked:
            return Site("log-weighted", value, y, axis, step=step, nature=nature)
    return None


def _is_of(natures: Natures, value: Value, z: Value) -> bool:
    """Whether a value is z, or its softmax, or the logarithm of that."""
    if value.id < z.id:
        return False
    nature = natures.of(value)
    return nature.kind in ("softmax", "log", "raw", "shifted") and (original(nature.z) is z or original(value) is z)


def _picked(step: Step, x: Value, nature: Nature, z: Value) -> Site | None:
    """The site of a step that picks or weights by a target."""
    axis = nature.axis
    if step.op in ("gather", "take_along_dim"):
        index = step.argument(2 if step.op == "gather" else 1, "index")
        place = step.argument(1 if step.op == "gather" else 2, "dim")
        if not isinstance(index, Value) or not isinstance(place, int):
            return None
        if index.made_by is not None and index.made_by.op == "remainder":
            index = index.made_by.ins[0]  # take_along_dim counts on from the start
        return Site("log-pick", x, index, place % len(x.shape), step=step, nature=nature)
    if step.op == "index":
        indices = [(i, v) for i, v in enumerate(step.argument(1, "indices") or ()) if isinstance(v, Value)]
        integers = [(i, v) for i, v in indices if not v.tensor.is_floating_point() and str(v.tensor.dtype) != "torch.bool"]
        if len(integers) < 2 or len(integers) != len(x.shape):
            return None
        given = [p for p in integers if _of_batch(p[1])] or [p for p in integers if not _is_range(p[1])]
        given = given or [p for p in integers if p[0] == axis]
        return Site("log-pick", x, given[0][1], given[0][0], step=step, nature=nature) if len(given) == 1 else None
    if step.op in ("mul", "xlogy"):
        other = next((v for v in step.ins if not v.learns and v is not x), None)
        if other is None or other.tensor.numel() < 2 or nature.kind == "raw" or nature.kind == "shifted":
            return None
        if len(other.shape) != len(x.shape) or axis is None or (axis < len(other.shape) and other.shape[axis] != x.shape[axis]):
            return None
        other = other.made_by.ins[0] if other.made_by is not None and other.made_by.op == "neg" else other
        return Site("log-weighted", x, other, axis, step=step, nature=nature)
    return None


def _is_range(value: Value) -> bool:
    """Whether an index just counts the rows."""
    behind = original(value)
    while behind.made_by is not None and behind.made_by.op in VIEWS and behind.made_by.ins:
        behind = behind.made_by.ins[0]
    return behind.made_by is not None and behind.made_by.op == "arange"


def _sigmoid_site(logs: list[tuple[Step, Value]], natures: Natures, steps: list[Step]) -> Site | None:
    straight = [v for _, v in logs if not natures.of(v).turned]
    turned = [v for _, v in logs if natures.of(v).turned]
    nature = natures.of((straight or turned)[0])
    margin = _margin(nature.z)
    if margin is not None:
        return Site("logistic", margin[0], margin[1], step=margin[2], nature=natures.of(margin[0]))
    chosen = next((v for _, v in logs if natures.of(v).target is not None), None)
    if chosen is not None:
        return Site("bce-by-hand", chosen, natures.of(chosen).target, step=chosen.made_by, nature=natures.of(chosen))
    known = _weighed_both(straight, turned)
    if known is not None:
        value, y = known
        return Site("bce-by-hand", value, y, step=value.made_by, nature=natures.of(value))
    if all(natures.of(v).picked for _, v in logs):
        z = original(nature.z)
        for step in steps:
            x = step.ins[0] if step.ins and step.op in ("gather", "index", "take_along_dim") else None
            if x is not None and natures.of(x).kind == "sigmoid" and original(natures.of(x).z) is z:
                site = _picked(step, x, natures.of(x), z)
                if site is not None:
                    site.both, site.form = False, "log-sigmoid-pick"
                    return site
    if straight and turned and any(_weighed_otherwise(v, nature.z) for v in (*straight, *turned)):
        return None  # r log(1 − a) + y log a: a negative binomial, say
    if any(_rest_of_many(f) for v in turned for f in _factors(v)):
        return None  # (n − y) log(1 − a) + y log a: a binomial
    for values, way in ((straight, 1), (turned, -1)):
        for value in values:
            for step in steps:
                if value not in step.ins:
                    continue
                if step.op in ("gather", "index") and len(value.shape) > 1:
                    site = _picked(step, value, natures.of(value), nature.z)
                    if site is not None:
                        site.both, site.form = bool(straight and turned), "log-sigmoid-pick"
                        return site
                other = next((v for v in step.ins if not v.learns), None)
                if step.op == "mul" and other is not None and other.tensor.numel() > 1:
                    weighs = _unscaled(other)
                    target = weighs if way > 0 else _complement(weighs)
                    if target is not None:
                        return Site(
                            "bce-by-hand", value, target, step=step, nature=natures.of(value), both=bool(straight and turned)
                        )
    return None


def _weighed_both(straight: list[Value], turned: list[Value]) -> tuple[Value, Value] | None:
    """(log a, y) where log a is weighed by y and log(1 − a) by 1 − y, whatever else weighs them."""
    against = {original(y).id for v in turned for f in _factors(v) if (y := _complement(f)) is not None}
    return next(((v, y) for v in straight for y in _factors(v) if original(y).id in against), None)


def _weighed_otherwise(value: Value, z: Value) -> bool:
    """Whether a logarithm is weighed by something that learns and is not made of its own logits."""
    z = original(z)
    others = [v for s in value.used_by if s.op in ("mul", "xlogy") for v in s.ins if v is not value and v.learns]
    return any(not leads(v, z) for v in others if v.role != "param")


def _factors(value: Value, depth: int = 0) -> list[Value]:
    """The given factors of the product that a value goes into."""
    found: list[Value] = []
    for step in value.used_by if depth < 6 else ():
        if not step.outs:
            continue
        shifted = step.op in ("sub", "rsub", "add") and sum(v.learns for v in step.ins) == 1
        if step.op == "neg" or shifted or step.op in VIEWS:
            found += _factors(step.outs[0], depth + 1)
        elif step.op in ("mul", "mul_"):
            for other in (v for v in step.ins if v is not value):
                found += _given_in(other)
            found += _factors(step.outs[0], depth + 1)
    return found


def _given_in(value: Value, depth: int = 0) -> list[Value]:
    """The given factors of a product."""
    made = value.made_by
    product = made is not None and made.op in ("mul", "mul_", "neg") and depth < 6
    inside = [factor for v in made.ins for factor in _given_in(v, depth + 1)] if made is not None and product else []
    if not value.learns and value.tensor.numel() > 1:
        return [value, *inside]
    return inside


def _complement(value: Value) -> Value | None:
    """y where a value is 1 − y."""
    step = value.made_by
    return step.ins[0] if step is not None and step.op == "rsub" and step.ins and step.argument(1, "other") == 1 else None


def _rest_of_many(value: Value) -> bool:
    """Whether a value is n − y, and n not 1."""
    step = value.made_by
    return step is not None and step.op == "rsub" and bool(step.ins) and step.argument(1, "other") != 1


def _differences(steps: list[Step], natures: Natures) -> list[Site]:
    """Squared and absolute errors by hand."""
    sites = []
    for step in steps:
        if step.op not in ("sub", "rsub", "sub_", "_cdist_forward", "dist"):
            continue
        a, y = step.argument(0), step.argument(1, "other")
        if isinstance(y, Value) and y.learns and not (isinstance(a, Value) and a.learns):
            a, y = y, a
        if not isinstance(a, Value) or not a.learns or (isinstance(y, Value) and y.learns) or y is None:
            continue
        nature = natures.of(a)
        if not isinstance(y, Value) and not (nature.squashed or _weighted_sum(a)):
            continue  # 1 − p in a focal cost, say
        form = _use(step.outs[0]) if step.op != "dist" else "absolute" if step.argument(2, "p", 2) == 1 else "squared"
        if form is not None:
            of_true = _of_the_true(a, nature, natures) if not isinstance(y, Value) else None
            sites.append(of_true(form, step) if of_true else Site(form, a, y, step=step, nature=nature))
    return sites


def _of_the_true(a: Value, nature: Nature, natures: Natures) -> Callable[[str, Step], Site] | None:
    """The site of an error in the probability of what is true: the target is what picked it."""
    if nature.target is not None:
        return lambda form, step: Site(form, a, nature.target, step=step, nature=replace(nature, target=None))
    while nature.picked and a.made_by is not None and a.made_by.op in VIEWS and a.made_by.ins:
        picking, a = a.made_by, a.made_by.ins[0]
        if picking.op in ("gather", "index", "take_along_dim") and not natures.of(a).picked:
            found = _picked(picking, a, natures.of(a), nature.z)
            if found is None or not isinstance(found.target, Value) or not _of_batch(found.target):
                return None
            return lambda form, step: replace(found, form=form, step=step)
    return None


def _weighted_sum(value: Value) -> bool:
    """Whether a value is a layer's weighted sum, reshaped at most."""
    while value.made_by is not None and value.made_by.ins and value.made_by.op in VIEWS:
        value = value.made_by.ins[0]
    return value.made_by is not None and value.made_by.op in MIXING


def _use(value: Value, depth: int = 0) -> str | None:
    """What becomes of a difference: squared, absolute, or neither."""
    for step in value.used_by:
        if step.call is not None and step.call.name not in ("mse_loss", "l1_loss"):
            continue
        power = step.argument(1, "exponent")
        if step.op in ("square", "linalg_vector_norm", "norm") or (
            step.op == "pow" and not isinstance(power, Value) and power == 2
        ):
            return "squared"
        if step.op == "mul" and step.ins == [value, value]:
            return "squared"
        if step.op in ("abs", "smooth_l1_loss", "huber_loss"):
            return "absolute"
        shifted = step.op == "add" and len(step.ins) == 1  # by a small number, as in a distance
        if depth < 2 and (step.op in VIEWS or step.op in ("mul", "div", "neg") or shifted) and step.outs:
            found = _use(step.outs[0], depth + 1)
            if found:
                return found
    return None


def _margin(value: Value) -> tuple[Value, Value, Step] | None:
    """(s, y, where) if a value is a margin ±(y·s), shifted or scaled by constants."""
    for _ in range(4):
        step = value.made_by
        if step is None:
            return None
        learned = [v for v in step.ins if v.learns]
        given = [v for v in step.ins if not v.learns]
        if step.op == "mul" and len(learned) == 1 and len(given) == 1 and given[0].tensor.numel() > 1:
            return learned[0], given[0], step
        if step.op not in ("neg", "rsub", "add", "sub", "mul", *VIEWS) or len(learned) != 1:
            return None
        value = learned[0]
    return None


def _margins(steps: list[Step], natures: Natures) -> list[Site]:
    """Hinge, logistic and exponential costs of a margin, by hand."""
    sites = []
    kinds = {"softplus": "logistic", "relu": "hinge", "clamp_min": "hinge", "clamp": "hinge", "exp": "exponential"}
    for step in steps:
        if step.op not in kinds or not step.ins or not step.ins[0].learns:
            continue
        found = _margin(step.ins[0])
        if found is not None and _of_batch(found[1]):
            form = kinds[step.op]
            log1p = step.op == "exp" and any(s.op in ("log1p", "add") for s in step.outs[0].used_by)
            sites.append(Site("logistic" if log1p else form, found[0], found[1], step=found[2], nature=natures.of(found[0])))
    return sites


def _of_batch(value: Value) -> bool:
    """Whether something of the batch is in a value."""
    seen, todo = set(), [value]
    while todo:
        one = todo.pop()
        if one.role in ("y", "batch", "x"):
            return True
        if one.id in seen:
            continue
        seen.add(one.id)
        todo += one.made_by.ins if one.made_by else []
    return False
