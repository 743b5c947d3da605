"""The verdict in words, English or Chinese: the terminal, the report and notebooks say the same."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2

from xent import texts
from xent.racing.verdict import ACCURACY, LEVEL, Answer, Comparison, Verdict


def sentences(verdict: Verdict, language: str) -> list[str]:
    """Each answer at the outputs' own rates, then at the shared one, once where they are the same; what it lacks is said."""
    words = texts.page("race", language)["verdict"]
    if len(verdict.labels) < 2:
        return [words["alone"]]
    shared = [answer for answer in verdict.answers if answer.rating == "shared"]
    same = all(replace(answer, rating="own") in verdict.answers for answer in shared)
    said = [_answer(verdict, answer, words) for answer in (shared if same else verdict.answers)]
    lost = verdict.answer().diverged
    if lost:
        said.append(words["diverged"].format(outputs=_list(verdict, lost, words)))
    return said


def percent(share: float | None, digits: int = 2) -> str:
    """A share as a percentage, with a real minus.

    >>> percent(0.98765), percent(-0.5, 0)
    ('98.77%', '−50%')
    """
    return "–" if share is None else f"{100 * share:.{digits}f}%".replace("-", "−")


def p_value(p: float) -> str:
    """A p as it is printed."""
    return f"{p:.2g}" if p >= 1e-4 else "<0.0001"


def _answer(verdict: Verdict, answer: Answer, words: dict[str, str]) -> str:
    """One answer in a sentence or two."""
    key = f"{answer.question}_{answer.rating}"
    opening = words[key].format(goal=percent(verdict.goal, 0))
    if not answer.enough:
        return opening + words["few"].format(
            seeds=answer.seeds,
            sides=len(answer.order),
            needed=seeds_needed(len(answer.pairs)),
            best=verdict.labels[answer.order[0]],
        )
    first = answer.order[0]
    if first in answer.diverged:
        return opening + words["all_diverged"]
    if answer.winner is None:
        said = opening + words["none"].format(
            best=verdict.labels[first], mean=_mean(answer, 0), seeds=answer.seeds, outputs=_list(verdict, answer.tied, words)
        )
        for pair in answer.pairs:
            if pair.better == first and pair.unlikely and pair.worse in answer.tied:
                said += words["unsure"].format(worse=verdict.labels[pair.worse], **difference(pair, answer.question))
        behind = tuple(s for s in answer.order[1:] if s not in answer.tied and s not in answer.diverged)
        return said + (words["behind"].format(best=verdict.labels[first], outputs=_list(verdict, behind, words)) if behind else "")
    closest = next(c for c in answer.pairs if c.better == first)
    if closest.worse in answer.diverged:
        return opening + words["won_alone"].format(winner=verdict.labels[first], mean=_mean(answer, 0))
    return opening + words[f"won_{answer.question}"].format(
        winner=verdict.labels[first],
        mean=_mean(answer, 0),
        second=verdict.labels[closest.worse],
        second_mean=_mean(answer, answer.order.index(closest.worse)),
        seeds=answer.seeds,
        **difference(closest, answer.question),
    )


def difference(pair: Comparison, question: str) -> dict[str, str]:
    """A difference with its interval, in percentage points or epochs; p with its sign, as "= 0.03"."""
    scale, digits = (100.0, 2) if question == ACCURACY else (1.0, 1)
    numbers = {"difference": pair.difference, "low": pair.low, "high": pair.high}
    shown = {name: f"{scale * value:.{digits}f}".replace("-", "−").replace("inf", "∞") for name, value in numbers.items()}
    p = p_value(pair.holm)
    return shown | {"p": p.replace("<", "< ") if p.startswith("<") else f"= {p}"}


def seeds_needed(comparisons: int) -> int:
    """The fewest seeds with which so many comparisons can show anything."""
    return ceil(1 + log2(max(comparisons, 1) / LEVEL) - 1e-12)


def _mean(answer: Answer, place: int) -> str:
    mean = answer.means[place]
    return percent(mean) if answer.question == ACCURACY else "–" if mean is None else f"{mean:.1f}"


def _list(verdict: Verdict, sides: tuple[int, ...], words: dict[str, str]) -> str:
    return words["comma"].join(verdict.labels[side] for side in sides)
