"""A user's own costs and outputs in the lab: those that its command line named, and no others.

A page asks for an output by a name. Here stands what such a name means where it is none of xent's, what is to be said of it, and
how a script that is taken along writes it. Nothing is ever loaded because a page asks for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import isclass
from pathlib import Path
from typing import Any

from xent import explaining, texts
from xent.checking import instance
from xent.checking.findings import Finding
from xent.costs import Cost, Smooth, adopted_cost
from xent.costs.adopted import AdoptedCost
from xent.costs.base import parameters, plain
from xent.costs.smoothing import unwrapped
from xent.errors import InputError, UnknownNameError, XentError
from xent.outputs import Output
from xent.outputs import output as output_named
from xent.outputs.naming import canonical, named
from xent.outputs.registry import COSTS
from xent.owned import PLACE, Found, Place, stamp_of


@dataclass(frozen=True, eq=False)
class Mine:
    """One thing of the user's under the name that pages have for it: that of a cost, which goes on any activation, or of an output.

    `wrong` is what the check found, `stamp` tells its file as it was read from what may stand there later.
    """

    name: str
    found: Found
    output: Output
    wrong: tuple[Finding, ...] = ()
    stamp: str = ""

    @property
    def whole(self) -> bool:
        """Whether it is an output, and no cost by itself."""
        thing = self.found.thing
        return issubclass(thing if isclass(thing) else type(thing), Output)

    @property
    def offered(self) -> str:
        """The output as a page offers it."""
        return self.name if self.whole else f"{written(self.name, self.output.cost)}@{self.output.activation}"

    @property
    def spellings(self) -> set[str]:
        """Its place as it may be typed."""
        where, inside = self.found.place.where, self.found.place.inside
        return {f"{where}:{inside}", f"{Path(where).name}:{inside}"}

    @property
    def file(self) -> Path | None:
        """The file that it stands in."""
        file = getattr(self.found.module, "__file__", None)
        return Path(file) if file else None

    @property
    def has_changed(self) -> bool:
        """Whether its file holds something else by now."""
        try:
            return self.file is not None and stamp_of(self.file) != self.stamp
        except OSError:
            return True


@dataclass(frozen=True)
class Own:
    """All that the command line named.

    >>> NONE.output("focal@sigmoid", "en") == output_named("focal@sigmoid")
    True
    """

    mine: tuple[Mine, ...] = ()

    @classmethod
    def of(cls, found: Sequence[tuple[Found, Output, tuple[Finding, ...]]]) -> Own:
        """What was found and checked, each under a name that nothing else has."""
        mine: list[Mine] = []
        for one, output, wrong in {str(one.place): (one, output, wrong) for one, output, wrong in found}.values():
            made = Mine("", one, output, wrong)
            taken = {canonical(other.name) for other in mine} | {*COSTS}
            longer = f"{Path(one.place.where).stem if one.place.is_file else one.place.where}.{one.place.inside}"
            names = str(output) if made.whole else output.cost.name, longer, *(f"{longer}-{n}" for n in range(2, len(mine) + 3))
            same = next((other for other in mine if other.found.thing is one.thing and not made.whole), None)
            if same is not None:  # the same cost, on another activation or with other parameters
                cost = output.cost if one.place.parameters else same.output.cost
                mine.append(replace(same, found=one, output=output_named(cost, output.activation), wrong=wrong))
                continue
            free = next(name for name in names if canonical(name) not in taken and _can_be_asked(name, output, made.whole))
            mine.append(replace(made, name=free, stamp=stamp_of(made.file) if made.file else ""))
        return cls(tuple(mine))

    # ── names ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _costs(self) -> dict[str, Cost]:
        return {canonical(one.name): one.output.cost for one in reversed(self.mine) if not one.whole}

    def output(self, name: str, language: str) -> Output:
        """The output with a name: one of xent's, or of the user's. An unknown one is answered with how to bring it along."""
        words = texts.page("lab", language)["own"]
        name = PLACE.sub(self._called, name).strip()
        for one in self.mine:
            if name in (one.name, one.offered):
                return one.output
        if ":" in name:
            raise InputError(words["place"].format(name=name))
        try:
            return named(name, self._costs)
        except UnknownNameError as error:
            if error.kind not in ("cost", "activation"):
                raise
            raise InputError(f"{error} {words['unknown'].format(name=error.name)}") from error

    def _called(self, place: re.Match[str]) -> str:
        """The name of what stands at a place, where that was brought along."""
        typed = place[0].strip()
        return next((one.name for one in self.mine if typed in one.spellings), typed)

    def name(self, output: Output) -> str:
        """How a page calls an output, so that it can ask for it again."""
        one = self.behind(output)
        if one is None:
            return str(output)
        return one.name if one.whole else f"{self._name_of(output.cost)}@{output.activation}"

    def _name_of(self, cost: Cost) -> str:
        if type(cost) is Smooth:
            return f"smooth({self._name_of(cost.cost)}, epsilon={plain(cost.epsilon)})"
        one = self.made_of(cost)
        return str(cost) if one is None else written(one.name, cost)

    def behind(self, output: Output) -> Mine | None:
        """What of the user's an output is or is made of."""
        cost = unwrapped(output.cost)
        return next((one for one in self.mine if one.whole and one.output is output), None) or self.made_of(cost)

    def made_of(self, cost: Cost) -> Mine | None:
        """Whose cost it is: the very same, or else of its kind with other parameters."""
        costs = [one for one in self.mine if not one.whole]
        same = [one for one in costs if one.output.cost is cost]
        alike = [one for one in costs if type(one.output.cost) is type(cost) and not isinstance(cost, AdoptedCost)]
        return next(iter([*same, *alike]), None)

    def used(self, outputs: Sequence[Output]) -> list[Mine]:
        """What of the user's these outputs are made of."""
        return list(dict.fromkeys(one for one in map(self.behind, outputs) if one is not None))

    def offered(self, language: str) -> list[dict[str, Any]]:
        """The user's own, for a page's list of what there is."""
        return [
            {
                "name": one.offered,
                "title": explaining.described(one.output, language),
                "vector": one.output.activation.vector,
                "own": True,
            }
            for one in self.mine
        ]

    def places(self, outputs: Sequence[Output]) -> dict[str, str]:
        """Where what these outputs are made of stands, by the names that pages have for it: for another process."""
        return {one.name: str(one.found.place) for one in self.used(outputs)}

    @classmethod
    def at(cls, places: Mapping[str, str]) -> Own:
        """The same again from `places`, in another process."""
        found = {name: Place.of(place).found() for name, place in places.items()}
        return cls(tuple(Mine(name, one, one.output()) for name, one in found.items()))

    # ── what is to be said of them ─────────────────────────────────────────────────────────────────────────────────────

    def notes(self, outputs: Sequence[Output], language: str) -> list[str]:
        """What a page says of them whatever they compute: that the check found something, that their file is another by now."""
        words, said = texts.page("lab", language)["own"], []
        for one in self.used(outputs):
            if one.wrong:
                titles = words["join"].join(dict.fromkeys(finding.title(language) for finding in one.wrong))
                said.append(
                    words["wrong"].format(
                        name=one.offered, titles=titles, look=f"xent check {one.found.place.where}:{one.found.place.inside}"
                    )
                )
            if one.has_changed:
                said.append(words["changed"].format(name=one.offered, file=one.file.name if one.file else ""))
        return said

    # ── code that is taken along ───────────────────────────────────────────────────────────────────────────────────────

    def code(self, output: Output) -> str:
        """The output as a script says it: its name, or an expression for which `imports` brings the parts."""
        one = self.behind(output)
        if one is None:
            return quoted(output)
        if one.whole:
            return f"{one.found.place.inside}()" if isclass(one.found.thing) else one.found.place.inside
        return f"xent.output({self._code_of(output.cost)}, {quoted(output.activation)})"

    def _code_of(self, cost: Cost) -> str:
        if type(cost) is Smooth:
            return f"Smooth({self._code_of(cost.cost)}, epsilon={cost.epsilon!r})"
        one = self.made_of(cost)
        assert one is not None, cost
        usual, inside = adopted_cost(instance(one.found.thing)), one.found.place.inside
        given = {f.name: getattr(cost, f.name) for f in parameters(type(cost)) if getattr(cost, f.name) != getattr(usual, f.name)}
        arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
        if isclass(one.found.thing):
            return f"{inside}({arguments})"
        return f"replace({inside}, {arguments})" if given else inside

    def imports(self, outputs: Sequence[Output]) -> list[str]:
        """The lines of a script that bring the parts of `code`."""
        used = self.used(outputs)
        code = " ".join(self.code(output) for output in outputs if self.behind(output))
        lines = [line for one in used for line in _imported(one)]
        lines += ["from dataclasses import replace"] if "replace(" in code else []
        lines += ["from xent.costs import Smooth"] if "Smooth(" in code else []
        return list(dict.fromkeys(lines))


NONE = Own()
"""A lab that was started without any."""


def written(name: str, cost: Cost) -> str:
    """A cost under another name, with its parameters where those are numbers.

    >>> from xent.costs import Focal
    >>> written("mine", Focal(gamma=3.0))
    'mine(gamma=3)'
    """
    given = {f.name: getattr(cost, f.name) for f in parameters(type(cost))}
    if not given or not all(is_number(value) for value in given.values()):
        return name
    return f"{name}({', '.join(f'{key}={plain(value)}' for key, value in given.items())})"


def is_number(value: object) -> bool:
    """Whether a parameter can be turned."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def quoted(text: object) -> str:
    """A text as a script writes it."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _imported(one: Mine) -> list[str]:
    """The lines that bring an object from where it stands."""
    where, name = one.found.place.where, one.found.place.inside.partition(".")[0]
    file = one.file
    if not one.found.place.is_file:
        package = sys.modules[where.partition(".")[0]]
        home = Path(getattr(package, "__file__", None) or ".").resolve().parent
        home = home.parent if hasattr(package, "__path__") else home
        return [*([] if str(home) in sys.path else _beside(home)), f"from {where} import {name}"]
    assert file is not None, where
    if file.stem.isidentifier() and file.stem not in sys.stdlib_module_names:
        return [*_beside(file.parent), f"from {file.stem} import {name}"]
    return [*_beside(file.parent), "from runpy import run_path", f"{name} = run_path({quoted(file)})[{quoted(name)}]"]


def _beside(folder: Path) -> list[str]:
    """Where Python shall look, too."""
    return ["import sys", f"sys.path.insert(0, {quoted(folder)})"]


def _can_be_asked(name: str, output: Output, whole: bool) -> bool:
    """Whether a name comes through an address and a list, and means nothing else of xent's."""
    if not whole and not re.fullmatch(r"[\w\-. ]+", name):
        return False
    with suppress(XentError):
        return bool(output_named(name) == output)
    return True
