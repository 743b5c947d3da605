"""Neurons that learn by gradient descent: one with every step kept, or millions at once. Stands on `outputs`.

`learning` is the article's experiment; `sweeping` is many neurons, computed by `cpu` or by its twin `plain`.
"""

from xent.neuron.learning import Neuron as Neuron
from xent.neuron.learning import Run as Run
from xent.neuron.sweeping import Sweep as Sweep
from xent.neuron.sweeping import sweep as sweep
