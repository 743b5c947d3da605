"""`python -m xent.cli`."""

from xent.cli import run

run()
