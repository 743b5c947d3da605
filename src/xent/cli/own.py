"""A user's own costs and outputs on the command line: `module:Name` or `file.py:Name`, wherever a name of xent's may stand."""

from __future__ import annotations

import shlex
import sys
from contextlib import redirect_stdout

from xent import texts
from xent.checking.findings import STRUCTURE, Check
from xent.errors import InputError
from xent.outputs import Output, output
from xent.outputs.naming import split
from xent.owned import Found, Place, composed


def outputs(text: str, language: str) -> list[Output]:
    """The outputs of a list separated by commas: names of xent's, and `module:Name` of one's own wherever a cost's name may stand.

    That is by itself, with @activation, with parameters, inside smooth(…). One's own are checked first: what cannot be computed
    with is refused, what is wrong is said on standard error and used.
    """
    return [one(name, language) if ":" in name else output(name) for name in split(text)]


def one(name: str, language: str) -> Output:
    """The output with a cost of one's own, checked."""
    if "(" in name:
        made = composed(name)
        _check(made, name, shlex.join(["xent", "check", name]), language)
        return made
    return checked(Place.of(name).found(), language)[0]


def checked(found: Found, language: str) -> tuple[Output, Check]:
    """The output of what was found, and what the check says of it; see `outputs`."""
    made, place = found.output(), found.place
    look = f"xent check {place.where}:{place.inside}" + (f" --activation {place.activation}" if place.activation else "")
    return made, _check(made, str(place), look, language)


def _check(made: Output, name: str, look: str, language: str) -> Check:
    from xent.checking import check_cost

    with redirect_stdout(sys.stderr):
        verdict = check_cost(made)
    words = texts.page("cli", language)["own"]
    for problem in verdict.problems:
        if problem.rule in (*STRUCTURE, "name"):
            seen = problem.seen(language) or problem.title(language)
            raise InputError(words["refused"].format(name=name, says=problem.told(language), seen=seen, look=look))
    if not verdict.ok:
        titles = words["join"].join(dict.fromkeys(problem.title(language) for problem in verdict.problems))
        print(words["wrong"].format(name=name, titles=titles, look=look), file=sys.stderr)
    return verdict
