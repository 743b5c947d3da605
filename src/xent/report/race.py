"""The report of a race as one HTML page: the verdict first, then the figures, every pair, and how it was done.

Every word comes from `texts`, every number from the race; the template only arranges them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from xent.racing import Race
from xent.racing.heats import JUDGING, TUNING, divided
from xent.racing.result import MOST_SEEDS
from xent.racing.verdict import ACCURACY
from xent.racing.words import difference, p_value, percent, sentences
from xent.report.article import TAGS, Picture, Pictures
from xent.report.prose import Prose
from xent.texts import page


def race(found: Race, *, language: str = "en", figures: Pictures, version: str, command: str | None = None) -> str:
    """The whole page.

    `figures` maps each name of `race_figures` to its picture as SVG, on light and on dark paper; `command` is what was typed, the
    call in Python if not given.
    """
    text = page("race", language)
    plan, words = found.plan, text["words"]
    html: str = _template().render(
        lang=TAGS.get(language, language),
        title=text["title"].format(data=plan.data),
        lead=[line.format(**_facts(found, text)) for line in text["lead"]],
        words=words,
        verdict=[_spoken(line, plan.labels) for line in sentences(found.verdict, language)],
        covers=text["covers"]["resplit" if plan.resplit else "fixed"],
        columns=_columns(found, words),
        rows=_rows(found, words),
        summary_note=words["summary_note"].format(seeds=plan.seeds),
        pictures=[(part, _picture(n, part, found, text, figures[part])) for n, part in enumerate(race_figures(found), start=1)],
        pairs=_pairs(found, words),
        pairs_note=words["pairs_note"].format(interval=words["interval_" + found.verdict.interval]),
        how=how(found, language),
        command=command or race_call(found),
        footer=words["footer"].format(version=version),
    )
    return html


def how(found: Race, language: str) -> list[str]:
    """What was done with the data, and every choice, in sentences."""
    text, plan = page("race", language), found.plan
    facts, said = _facts(found, text), text["how"]
    lines = [said["data"].format(**facts), *(text["notes"][key].format(**values) for key, values in found.data.notes)]
    lines.append(text["notes"]["scaled" if found.data.scaling == "standard" else "unscaled"])
    lines += [said[key].format(**facts) for key in ("network", "teaching")]
    lines.append(said["rates" if len(plan.rates) > 1 else "one_rate"].format(**facts))
    if found.picked.on_edge:
        lines.append(said["edge"].format(outputs=text["verdict"]["comma"].join(plan.labels[i] for i in found.picked.on_edge)))
    if plan.precision is not None:
        lines.append(said["precision"].format(precision=percent(plan.precision), most=MOST_SEEDS, **facts))
    origin = said["goal_given" if plan.goal is not None else "goal_tuned"]
    lines += [said["goal"].format(goal=percent(found.verdict.goal, 0), origin=origin), said["plan"].format(**facts)]
    return lines


def race_call(found: Race, outputs: str | None = None) -> str:
    """The call in Python that repeats the race; `outputs` is the code of the list of outputs, their names if not given."""
    plan = found.plan
    standing = {f.name: f.default for f in type(plan).__dataclass_fields__.values()}
    given = {
        k: getattr(plan, k)
        for k in standing
        if k not in ("data", "fingerprint", "classes", "features", "outputs", "sources", "version")
    }
    extra = "".join(f", {k}={v!r}" for k, v in given.items() if v != standing[k])
    if found.verdict.interval != "t":
        extra += f", interval={found.verdict.interval!r}"
    asked = dict(found.data.asked)
    extra += "".join(f", {k}={v!r}" for k, v in asked.items() if k != "data")
    data = repr(asked["data"]) if "data" in asked else "data"  # what was in memory has no name to call it by
    return f"xent.race({data}, {outputs or list(plan.outputs)}{extra})"


def _facts(found: Race, text: dict[str, Any]) -> dict[str, str]:
    plan = found.plan
    picking, judging = (divided(plan, found.data, stage, 0) for stage in (TUNING, JUDGING))
    return {
        "data": plan.data, "rows": f"{len(found.data):,}", "features": str(plan.features), "classes": str(plan.classes),
        "sides": str(len(plan.outputs)), "seeds": str(plan.seeds), "network": "-".join(map(str, plan.recipe.sizes)),
        "train": f"{len(judging.y_train):,}", "tuning": f"{len(picking.y_tuning):,}", "test": f"{len(judging.y_test):,}",
        "init": plan.init, "activation": plan.activation, "batch": str(min(plan.batch, len(judging.y_train))),
        "epochs": str(plan.epochs),
        "l2": f"{plan.l2:g}",
        "optimiser": f"momentum {plan.momentum:g}" if plan.optimiser == "momentum" else plan.optimiser,
        "dtype": plan.dtype, "device": plan.device, "grid": ", ".join(f"{r:g}" for r in plan.rates),
        "tuning_seeds": str(plan.tuning_seeds), "shared": f"{found.picked.shared:g}", "hash": plan.hash, "version": plan.version,
    }  # fmt: skip


def _spoken(line: str, labels: tuple[str, ...]) -> Markup:
    """A sentence with the outputs' names set as code, longer names first."""
    said = str(escape(line))
    for place, label in enumerate(sorted(labels, key=len, reverse=True)):
        said = said.replace(str(escape(label)), f"\0{place}\0")
    for place, label in enumerate(sorted(labels, key=len, reverse=True)):
        said = said.replace(f"\0{place}\0", f"<code>{escape(label)}</code>")
    return Markup(said)


def race_figures(found: Race) -> list[str]:
    """The figures that have something to show."""
    tuned = ["rates"] if found.tuning is not None and len(found.plan.rates) > 1 else []
    sure = ["calibration"] if found.last["bins"].drop_nulls().len() else []
    return ["accuracy", "gain", *tuned, *sure, "confusion"]


def _picture(number: int, part: str, found: Race, text: dict[str, Any], drawn: tuple[str, str]) -> Picture:
    caption = text["captions"][part].format(output=f"`{found.plan.labels[found.verdict.answer().order[0]]}`")
    return Picture.of(number, caption, Prose({}), drawn)


def _columns(found: Race, words: dict[str, str]) -> list[str]:
    shared = words["accuracy_shared"].format(rate=f"{found.picked.shared:g}")
    epochs = words["epochs"].format(goal=percent(found.verdict.goal, 0))
    return [
        words["output"],
        words["rate"],
        words["accuracy"],
        shared,
        epochs,
        *(words[k] for k in MEASURES),
        *_if(_lost(found), words["diverged"]),
    ]


MEASURES = ("gain", "stalled", "log_loss", "brier", "calibration")


def _rows(found: Race, words: dict[str, str]) -> list[list[str]]:
    """A row for each output, in the order of the verdict."""
    own, epochs, shared = (found.verdict.answer(q, r) for q, r in ((ACCURACY, "own"), ("epochs", "own"), (ACCURACY, "shared")))
    plan, summary = found.plan, {row["side"]: row for row in found.summary.to_dicts()}
    rows = []
    for side in own.order:
        one = summary[side]
        mean_wait = epochs.means[epochs.order.index(side)]
        waits = "–" if mean_wait is None else f"{mean_wait:.1f}"
        never = len(found.never(side))
        mean = percent(one["accuracy"]) + (f" ± {100 * one['accuracy_sd']:.2f}" if one["accuracy_sd"] is not None else "")
        rows.append([
            plan.labels[side], f"{found.picked.own[side]:g}", mean, percent(shared.means[shared.order.index(side)]),
            words["never"].format(epochs=waits, n=never, seeds=plan.seeds) if never else waits,
            _number(one["first_gain"]), percent(one["first_stalled"], 1),
            *(_number(one[name]) for name in ("log_loss", "brier", "calibration")),
            *_if(_lost(found), words["of_seeds"].format(n=one["diverged"], seeds=plan.seeds) if one["diverged"] else "–"),
        ])  # fmt: skip
    return rows


def _lost(found: Race) -> bool:
    """Whether a network diverged at its output's own rate: the column for that is left out where none did."""
    return bool(found.verdict.answer().diverged)


def _if(wanted: bool, cell: str) -> list[str]:
    return [cell] if wanted else []


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _pairs(found: Race, words: dict[str, str]) -> list[list[str]]:
    """Every pair of both questions, at the outputs' own rates."""
    labels, rows = found.plan.labels, []
    for question, name in ((ACCURACY, "points"), ("epochs", "fewer")):
        for pair in found.verdict.answer(question).pairs:
            shown = difference(pair, question)
            rows.append(
                [
                    words[name],
                    labels[pair.better],
                    labels[pair.worse],
                    shown["difference"],
                    f"{shown['low']} … {shown['high']}",
                    p_value(pair.holm),
                ]
            )
    return rows


@cache
def _template() -> Any:
    """The page's template, which refuses names that it was not given."""
    environment = Environment(
        loader=PackageLoader("xent.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("race.html.jinja")
