"""`python -m xent.cli`."""

from xent.__main__ import run

run()
