"""What a person looks at: the twelve figures of the article's report and the curves of any run.

Stands on `article` and `neuron`; does no maths of its own.
"""

from xent.figures.article import ARTICLE as ARTICLE
from xent.figures.article import draw as draw
from xent.figures.maps import draw_map as draw_map
from xent.figures.maps import draw_sweep as draw_sweep
from xent.figures.runs import draw_runs as draw_runs
from xent.figures.style import save as save
from xent.figures.style import svg as svg
