"""What a value is weighed by on its way to the cost: targets, 1 − y, constants, in whatever order they are multiplied."""

from __future__ import annotations

from xent.doctor.carrying import VIEWS
from xent.doctor.trace import Value


def factors(value: Value, depth: int = 0) -> list[Value]:
    """The given factors of the product that a value goes into."""
    found: list[Value] = []
    for step in value.used_by if depth < 6 else ():
        if not step.outs:
            continue
        shifted = step.op in ("sub", "rsub", "add") and len(step.learned) == 1
        if step.op == "neg" or shifted or step.op in VIEWS:
            found += factors(step.outs[0], depth + 1)
        elif step.op in ("mul", "mul_"):
            found += [factor for other in step.ins if other is not value for factor in _given_in(other)]
            found += factors(step.outs[0], depth + 1)
    return found


def _given_in(value: Value, depth: int = 0) -> list[Value]:
    """The given factors of a product, which is one itself where nothing in it learns."""
    made = value.made_by if depth < 6 else None
    inside = made.ins if made is not None and made.op in ("mul", "mul_", "neg") else []
    own = [value] if not value.learns and value.tensor.numel() > 1 else []
    return own + [factor for v in inside for factor in _given_in(v, depth + 1)]


def rest_of_many(value: Value) -> bool:
    """Whether a value is n − y, and n not 1."""
    step = value.made_by
    return step is not None and step.op == "rsub" and bool(step.ins) and step.argument(1, "other") != 1


def unscaled(value: Value) -> Value:
    """The targets without a constant factor, the weight of a class."""
    while value.made_by is not None and value.made_by.op in ("mul", "div") and value.made_by.ins:
        parts = [v for v in value.made_by.ins if of_batch(v)]
        if len(parts) != 1:
            return value
        value = parts[0]
    return value


def of_batch(value: Value) -> bool:
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
