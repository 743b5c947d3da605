"""Checking a cost or an output, one's own before all: whether its slope is its slope, and what it teaches.

Stands on `outputs` and `texts`. `probes` are the points, `differences` the derivatives with their errors, `subject` calls the
code that is checked; `structure`, `edges`, `slopes` and `teaching` hold the rules, `checker` their order, `findings` the report.
"""

from xent.checking.checker import check_cost as check_cost
from xent.checking.checker import instance as instance
from xent.checking.findings import Check as Check
from xent.checking.findings import Evidence as Evidence
from xent.checking.findings import Finding as Finding
