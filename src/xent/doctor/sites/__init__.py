"""Where answers meet targets: every place on the way to the cost at which something that learns is compared with something given.

A cost function of PyTorch is a site with its arguments (`calls`); costs written by hand are found by what they do: a logarithm of
a probability picked or weighted by a target (`logarithms`), log(1 + e^z) − yz (`partitions`), a difference that is squared or
taken absolutely (`differences`), a margin y·s (`margins`).
"""

from __future__ import annotations

from xent.doctor.carrying import original
from xent.doctor.natures import Natures
from xent.doctor.sites.calls import called
from xent.doctor.sites.differences import differences
from xent.doctor.sites.logarithms import logarithms
from xent.doctor.sites.margins import margins
from xent.doctor.sites.partitions import partitions
from xent.doctor.sites.site import ERRORS as ERRORS
from xent.doctor.sites.site import Site as Site
from xent.doctor.trace import Trace


def find(trace: Trace, natures: Natures, *, own: bool) -> list[Site]:
    """All sites in the order in which they ran; `own` says that the model computes its cost itself."""
    sites = [site for call in trace.calls if (site := called(call, natures)) is not None]
    free = [s for s in trace.steps if s.call is None and s.outs and s.grad and (own or not s.in_model)]
    known = {original(site.nature.z).id for site in sites}
    by_hand = [
        *logarithms(free, natures), *partitions(free, natures), *differences(free, natures), *margins(free, natures)
    ]  # fmt: skip
    return sites + [site for site in by_hand if original(site.nature.z).id not in known or site.form not in ERRORS]
