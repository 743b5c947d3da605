"""Activations: a = σ(z), and the way back. Stands on `arrays`; knows nothing of costs.

`base` says what an activation is, `elementwise` and `softmax` are the ones that xent knows, and `probability` holds the
numbers that an answer means when it is read as a probability, each to its last digits. `adopted` takes in a user's own.
"""

from xent.activations.adopted import adopted_activation as adopted_activation
from xent.activations.base import Activation as Activation
from xent.activations.base import Interval as Interval
from xent.activations.elementwise import Identity as Identity
from xent.activations.elementwise import ReLU as ReLU
from xent.activations.elementwise import Sigmoid as Sigmoid
from xent.activations.elementwise import Softplus as Softplus
from xent.activations.elementwise import Squashing as Squashing
from xent.activations.elementwise import Tanh as Tanh
from xent.activations.probability import Probability as Probability
from xent.activations.softmax import Softmax as Softmax
