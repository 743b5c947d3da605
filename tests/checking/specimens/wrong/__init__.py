"""Wrong costs and outputs."""

from . import forms as forms
from . import numbers as numbers
from . import outputs as outputs
from . import slopes as slopes
from . import truths as truths
