"""Networks that learn by backpropagation, many at once: every array has a leading axis of lanes. Stands on `outputs`.

A lane is one network: an output, a rate, a seed. `recipe` says how a network is built and taught, `plain` is backpropagation
from its four equations on any array, `cpu` its fused twin, and `learning` chooses between the two.
"""

from xent.network.learning import Learner as Learner
from xent.network.learning import learner as learner
from xent.network.recipe import Recipe as Recipe
from xent.network.recipe import start as start
