"""The rules, one file a family. `RULES` has them all by id, the gravest and most certain first."""

from xent.doctor.rules import bare, classes, layers, numbers, pairs, targets
from xent.doctor.rules.base import SEVERITIES as SEVERITIES
from xent.doctor.rules.base import Found as Found
from xent.doctor.rules.base import Rule as Rule

RULES: dict[str, Rule] = {r.id: r for r in (*targets.ALL, *classes.ALL, *bare.ALL, *pairs.ALL, *numbers.ALL, *layers.ALL)}
