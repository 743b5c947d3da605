"""Outputs: cost ∘ activation, with value, δ and gain. Stands on `costs` and `activations`; everything that learns uses it.

`base` has the chain rule, which fits every pair; `squashed`, `softmaxed` and `linear` have the closed forms that keep the last
digits, one file for each kind of activation; `smoothed` moves targets; `targets` checks them; `naming` reads and writes names;
`registry` is the catalogue; `own` tells a user's code from ours.
"""

from xent.outputs.base import Output as Output
from xent.outputs.naming import output as output
from xent.outputs.registry import catalogue as catalogue
