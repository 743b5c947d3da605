"""Healthy models: unusual, but right."""

from . import by_hand as by_hand
from . import classes as classes
from . import comparisons as comparisons
from . import grids as grids
from . import networks as networks
from . import numbers as numbers
