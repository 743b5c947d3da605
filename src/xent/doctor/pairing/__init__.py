"""How much of each error arrives as correction: z, the answer a, the target y and δ = ∂C/∂z, sample by sample.

`pairing` holds the numbers, `measured` reads them of what others wrote, `closed` of xent's own costs, `opaque` of a cost that
cannot be looked into; `targets` and `reduction` say what counts, and what the cost is divided by.
"""

from __future__ import annotations

from xent.doctor.observe import Observation
from xent.doctor.pairing import closed, measured
from xent.doctor.pairing.pairing import Pairing as Pairing
from xent.doctor.pairing.pairing import Unseen as Unseen
from xent.doctor.sites import Site


def read(seen: Observation, site: Site) -> Pairing:
    """The pairing at a site; raises Unseen with the reason where it cannot be read."""
    return closed.read(seen, site) if site.output is not None else measured.read(seen, site)
