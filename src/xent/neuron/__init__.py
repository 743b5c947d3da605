"""One neuron that learns by gradient descent: the article's experiment. Stands on `outputs`."""

from xent.neuron.learning import Neuron as Neuron
from xent.neuron.learning import Run as Run
