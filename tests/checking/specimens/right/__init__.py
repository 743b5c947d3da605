"""Right costs and outputs, spelled as people spell them: none may be accused."""

from . import classes as classes
from . import margins as margins
from . import numbers as numbers
from . import outputs as outputs
from . import yes_no as yes_no
