"""Costs: C(a, y) of an answer and the truth, and the slope ∂C/∂a. Stands on `arrays` and the intervals of `activations`.

One file a family: `quadratic` (squared errors), `absolute`, `surprisal` (every cost φ(−log p_y)), `cross_entropy` (φ the
identity, and its symmetric form), `margin` (labels ±1), `smoothing` (a wrapper of the target). `adopted` takes in a user's own.
"""

from xent.costs.absolute import Absolute as Absolute
from xent.costs.adopted import adopted_cost as adopted_cost
from xent.costs.base import Cost as Cost
from xent.costs.base import Labels as Labels
from xent.costs.cross_entropy import CrossEntropy as CrossEntropy
from xent.costs.cross_entropy import SymmetricCrossEntropy as SymmetricCrossEntropy
from xent.costs.margin import Exponential as Exponential
from xent.costs.margin import Hinge as Hinge
from xent.costs.margin import Logistic as Logistic
from xent.costs.margin import MarginCost as MarginCost
from xent.costs.margin import SquaredHinge as SquaredHinge
from xent.costs.quadratic import Quadratic as Quadratic
from xent.costs.quadratic import RescaledQuadratic as RescaledQuadratic
from xent.costs.smoothing import Smooth as Smooth
from xent.costs.surprisal import Focal as Focal
from xent.costs.surprisal import GeneralizedLq as GeneralizedLq
from xent.costs.surprisal import Poly as Poly
from xent.costs.surprisal import SurprisalCost as SurprisalCost
