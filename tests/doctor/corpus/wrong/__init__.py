"""Models with one planted fault each, in files named after the rules' families."""

from . import bare as bare
from . import choices as choices
from . import classes as classes
from . import counting as counting
from . import gains as gains
from . import layers as layers
from . import logits as logits
from . import numbers as numbers
from . import targets as targets
