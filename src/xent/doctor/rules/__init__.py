"""The rules, one file a family. `RULES` has them all by id, the gravest and most certain first."""

from xent.doctor.rules import bare, choices, classes, counting, gains, layers, logits, numbers, parameters, targets
from xent.doctor.rules.base import SEVERITIES as SEVERITIES
from xent.doctor.rules.base import Found as Found
from xent.doctor.rules.base import Rule as Rule

FAMILIES = (targets, classes, counting, bare, logits, choices, gains, numbers, parameters, layers)
RULES: dict[str, Rule] = {rule.id: rule for family in FAMILIES for rule in family.ALL}
