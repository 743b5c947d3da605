"""One race in a process of its own: `python -m xent.lab.racer FOLDER` runs what FOLDER/asked.json asks, and writes what came of it.

Progress goes to standard output, one line of JSON each. Every finished heat is kept in the folder at once, so that a race that was
stopped goes on where it was when it is started again.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from xent import data, files, report, texts
from xent.errors import InputError, XentError
from xent.lab.own import Own
from xent.lab.races import ASKED, HEATS, RESULT, SCRIPT, TABLE
from xent.outputs import Output
from xent.outputs.own import is_own
from xent.owned import raised
from xent.processes import end_with
from xent.racing import Race, race
from xent.racing import plan as planning
from xent.racing.estimate import seconds
from xent.racing.verdict import EPOCHS
from xent.racing.words import sentences

LONGEST = 3600.0
"""Seconds that a race from the page may be guessed to take; the command line has no such limit."""


def main(folder: Path) -> int:
    """Run the race of a folder; 0 done, 2 it was asked wrongly."""
    end_with(os.getppid())
    asked = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    outputs: list[Output] = []
    try:
        own = Own.at(asked.pop("own"))
        outputs += [own.output(name, texts.LANGUAGES[0]) for name in asked.pop("outputs")]
        found = _raced(folder, outputs=outputs, **asked)
        _write(folder, found, outputs, own)
    except XentError as error:
        _say(error=str(error))
        return 2
    except (Exception, SystemExit) as error:
        if not any(map(is_own, outputs)):
            raise
        _say(error=str(error), **{f"error_{language}": raised(error, outputs, language) for language in texts.LANGUAGES})
        return 2
    _say(done=True)
    return 0


def _raced(folder: Path, source: str, target: str | None, jobs: int, outputs: list[Output], **choices: Any) -> Race:
    rows = data.load(source, target, missing="fill" if target else "refuse")
    plan, _ = planning.plan(rows, outputs, **choices)
    guess = seconds(plan, rows, jobs)
    if guess > LONGEST:
        raise InputError(
            f"this race would take about {guess / 3600:.1f} hours: ask for fewer seeds, epochs, rates or units, or run `xent race`."
        )
    _say(guess=guess)

    def progress(stage: str, done: int, total: int) -> None:
        _say(stage=stage, done=done, total=total)

    return race(rows, outputs, out=folder / HEATS, jobs=jobs, progress=progress, **choices)


def _write(folder: Path, found: Race, outputs: list[Output], own: Own) -> None:
    """The verdict and the table for the page, and the files to take along, each whole."""
    from xent import figures

    _say(stage="writing", done=0, total=0)

    best, waits = found.verdict.answer(), found.verdict.answer(EPOCHS)
    summary = {row["side"]: row for row in found.summary.to_dicts()}
    rows = [
        {
            "side": side,
            "label": found.plan.labels[side],
            "rate": found.picked.own[side],
            "accuracy": best.means[place],
            "spread": summary[side]["accuracy_sd"],
            "epochs": waits.means[waits.order.index(side)],
            "stalled": summary[side]["first_stalled"],
            "gain": summary[side]["first_gain"],
        }
        for place, side in enumerate(best.order)
    ]
    source = dict(found.data.asked)["data"]
    code = f"[{', '.join(map(own.code, outputs))}]" if own.mine else None
    call = report.race_call(found, code).replace(repr(source), repr(Path(source).name), 1)
    brought = [*own.imports(outputs), "import xent", ""]
    command = "\n".join([*brought, call]) if own.mine else None
    for language in texts.LANGUAGES:
        found.report(folder / f"report-{language}.html", language=language, command=command)
        figures.save(found.figure(language=language), folder, f"race-{language}")
    files.write(folder / TABLE, found.table.drop("confusion", "bins", strict=False).write_csv())
    files.write(folder / SCRIPT, "\n".join([*brought, f"found = {call}", 'found.report("report.html")', ""]))
    said = {language: sentences(found.verdict, language) for language in texts.LANGUAGES}
    result = {"rows": rows, "says": said, "goal": found.verdict.goal, "winner": found.verdict.winner}
    files.write(folder / RESULT, json.dumps(result, ensure_ascii=False))


def _say(**what: Any) -> None:
    print(json.dumps(what), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    try:
        with redirect_stdout(sys.stderr):  # what a user's own code prints is no progress
            code = main(Path(sys.argv[1]))
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)
