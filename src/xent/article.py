"""The article, computed: its experiments, its claims, and the studies that its figures and texts show.

Everything here is real computation with `neuron` and `outputs`; `report` and `figures` only show it. The settings that the
article leaves out come from the book that it retells (Nielsen 2015, chapter 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xent.activations import Sigmoid, Softmax
from xent.arrays import Array
from xent.costs import CrossEntropy
from xent.neuron import Neuron, Run
from xent.outputs import Output, output
from xent.texts.formulas import formula

STARTS = {1: Neuron(w=0.6, b=0.9), 2: Neuron(w=2.0, b=2.0)}
COSTS = ("quadratic", "cross-entropy")
STEPS = 300
RATES = {"same": 0.15, "sixth": 0.025, "demo": 0.005}


@dataclass(frozen=True)
class Experiment:
    """One row of the article's table: a start, a cost, a rate, and the run."""

    start: int
    cost: str
    rate: float
    run: Run

    @property
    def numbers(self) -> dict[str, Any]:
        """The row as plain numbers, None for never."""
        run = self.run
        return {
            "start": self.start,
            "cost": self.cost,
            "rate": self.rate,
            "w0": float(run.w[0]),
            "b0": float(run.b[0]),
            "a0": float(run.a[0]),
            "a300": float(run.a[-1]),
            "cost0": float(run.cost[0]),
            "cost300": float(run.cost[-1]),
            "delta0": float(run.delta[0]),
            "gain0": float(run.gain[0]),
            "first_below_half": run.first_step(lambda a: a < 0.5),
            "fastest_fall": run.fastest_fall(),
        }


@dataclass(frozen=True)
class Claim:
    """Something that the article says, what was measured, and whether the two agree. `id` finds its sentence in the texts."""

    id: str
    article: str
    measured: str
    agrees: bool


@dataclass(frozen=True)
class BestRates:
    """For every rate of a grid the share of wrong answers (a on the wrong side of ½), averaged over the steps of a run.

    Neutral between the costs, unlike any of them; and unlike |a − y|, which rewards a rate so wild that every answer is 0 or 1.
    """

    rates: Array
    wrong: dict[str, Array]

    def best(self, cost: str) -> tuple[float, float]:
        """(rate, share of wrong answers) of the best rate of a cost: the smallest of those that come as low, to six digits."""
        wrong = self.wrong[cost]
        i = int(np.argmax(wrong <= np.min(wrong) * (1 + 1e-6)))
        return float(self.rates[i]), float(wrong[i])


class Slipped(Output):
    """Cross-entropy on a sigmoid with the slip of the well-known demos: ∂C/∂a = 1/(1−a), for y = 0, where ∂C/∂z = a is needed."""

    def _delta(self, z: Array, y: Array, xp: Any) -> Array:
        return self.cost.slope(self.activation(z), y)


class Study:
    """All that the article's report shows, each part computed once when it is first asked for."""

    @cached_property
    def experiments(self) -> list[Experiment]:
        """The eight rows: both starts under the quadratic cost, and under cross-entropy at three rates."""
        settings = [("quadratic", RATES["same"]), *(("cross-entropy", rate) for rate in RATES.values())]
        return [
            Experiment(start, cost, rate, neuron.learn(1.0, 0.0, output=f"{cost}@sigmoid", rate=rate, steps=STEPS))
            for cost, rate in settings
            for start, neuron in STARTS.items()
        ]

    def run(self, start: int, cost: str, rate: float) -> Run:
        """The run of one row."""
        return next(e.run for e in self.experiments if (e.start, e.cost, e.rate) == (start, cost, rate))

    @cached_property
    def slips(self) -> dict[int, Run]:
        """Both starts with the demos' slip, at their rate."""
        slipped = Slipped(CrossEntropy(), Sigmoid())
        return {start: neuron.learn(1.0, 0.0, output=slipped, rate=RATES["demo"], steps=STEPS) for start, neuron in STARTS.items()}

    @cached_property
    def tanh_runs(self) -> dict[str, Run]:
        """A tanh neuron that answers 0.98 where −1 is true, under the quadratic cost and under tanh's own cross-entropy."""
        neuron = Neuron.from_output(0.98, x=1.0, activation="tanh")
        return {cost: neuron.learn(1.0, -1.0, output=f"{cost}@tanh", rate=RATES["same"], steps=STEPS) for cost in COSTS}

    @cached_property
    def many_samples(self) -> Run:
        """Twelve samples of two overlapping classes, learned together under cross-entropy from start 2."""
        x, y = overlapping_classes(12)
        return STARTS[2].learn(x, y, output="cross-entropy@sigmoid", rate=RATES["same"], steps=STEPS)

    @cached_property
    def many_classes(self) -> dict[str, Array]:
        """Three logits, their probabilities, the right class and its cost."""
        z = np.asarray([2.0, 1.0, -0.5])
        truth = np.asarray(1)
        return {"z": z, "p": Softmax()(z), "truth": truth, "cost": output("cross-entropy@softmax").value(z, truth)}

    @cached_property
    def best_rates(self) -> BestRates:
        """Each cost at every rate of a grid, on 200 samples of two overlapping classes, from the badly wrong start 2."""
        x, y = overlapping_classes(200)
        rates = np.geomspace(0.01, 1000.0, 21)

        def wrong(cost: str, rate: float) -> float:
            a = STARTS[2].learn(x, y, output=f"{cost}@sigmoid", rate=rate, steps=STEPS).a
            return float(np.mean((a > 0.5) != (y > 0.5)))

        return BestRates(rates, {cost: np.asarray([wrong(cost, float(rate)) for rate in rates]) for cost in COSTS})

    @cached_property
    def claims(self) -> list[Claim]:
        """Every claim of the article that can be measured, with the measurement."""
        return [*self._four_outputs(), self._gradient_order(), self._slow_start(), *formula_claims()]

    def _four_outputs(self) -> list[Claim]:
        said = {1: ("0.82", "0.09"), 2: ("0.98", "0.20")}
        claims = []
        for start, (first, last) in said.items():
            a = self.run(start, "quadratic", RATES["same"]).a
            for which, article, value in (("first", first, a[0]), ("last", last, a[-1])):
                claims.append(Claim(f"start{start}_{which}", article, f"{value:.4f}", f"{value:.2f}" == article))
        return claims

    def _gradient_order(self) -> Claim:
        first = [float(self.run(start, "quadratic", RATES["same"]).delta[0]) for start in (1, 2)]
        return Claim("gradient_order", "δ₂ < δ₁", f"{first[1]:.4f} < {first[0]:.4f}", first[1] < first[0])

    def _slow_start(self) -> Claim:
        """Slow: in the first fifty steps start 2 loses less than a twentieth of its cost, start 1 more than half."""
        lost = []
        for start in (1, 2):
            cost = self.run(start, "quadratic", RATES["same"]).cost
            lost.append(float((cost[0] - cost[50]) / cost[0]))
        return Claim("slow_start", "ΔC₂ ≪ ΔC₁", f"{lost[1]:.1%} ≪ {lost[0]:.1%}", lost[1] < 0.05 and lost[0] > 0.5)

    @cached_property
    def words(self) -> dict[str, str]:
        """The measured numbers as the texts name them, formatted; None for never."""
        words: dict[str, str | None] = {}
        prefixes = {
            ("quadratic", 0.15): "q",
            ("cross-entropy", 0.15): "c",
            ("cross-entropy", 0.025): "s",
            ("cross-entropy", 0.005): "t",
        }
        for experiment in self.experiments:
            key = f"{prefixes[experiment.cost, experiment.rate]}{experiment.start}"
            n = experiment.numbers
            below = n["first_below_half"]
            words |= {
                f"{key}_a0": f"{n['a0']:.2f}",
                f"{key}_a300": f"{n['a300']:.2f}",
                f"{key}_a0_4": f"{n['a0']:.4f}",
                f"{key}_a300_4": f"{n['a300']:.4f}",
                f"{key}_delta0": f"{n['delta0']:.3f}",
                f"{key}_gain0": f"{n['gain0']:.3g}",
                f"{key}_below": None if below is None else str(below),
                f"{key}_fastest": str(n["fastest_fall"]),
            }
        for start in (1, 2):
            run = self.run(start, "quadratic", RATES["same"])
            words[f"q{start}_slope"] = f"{float(run.gain[0]):.3f}"
            words[f"speedup{start}"] = f"{float(1 / run.gain[0]):.3g}"
            words[f"slip{start}"] = f"{float(self.slips[start].a[-1]):.4f}"
        for step in (50, 100, 150, 200, 250):
            words[f"q2_a{step}"] = f"{float(self.run(2, 'quadratic', RATES['same']).a[step]):.3f}"
        for key, cost in zip("qc", COSTS, strict=True):
            crossing = self.tanh_runs[cost].first_step(lambda a: a < 0)
            words[f"tanh_{key}_steps"] = None if crossing is None else str(crossing)
            rate, wrong = self.best_rates.best(cost)
            words |= {f"best_{key}_rate": f"{rate:.3g}", f"best_{key}_wrong": f"{wrong:.2%}"}
        mean = np.mean(self.many_samples.cost, axis=1)
        words |= {"many_n": str(self.many_samples.a.shape[1]), "many_first": f"{mean[0]:.3f}", "many_last": f"{mean[-1]:.3f}"}
        classes = self.many_classes
        words |= {"classes_p": f"{classes['p'][int(classes['truth'])]:.3f}", "classes_cost": f"{float(classes['cost']):.3f}"}
        return words  # type: ignore[return-value]

    def numbers(self) -> dict[str, Any]:
        """Everything measured, as plain data for numbers.json."""
        best = {cost: dict(zip(("rate", "wrong"), self.best_rates.best(cost), strict=True)) for cost in COSTS}
        return {
            "experiments": [e.numbers for e in self.experiments],
            "claims": [{"id": c.id, "article": c.article, "measured": c.measured, "agrees": c.agrees} for c in self.claims],
            "demo_slip": [{"start": start, "rate": RATES["demo"], "a300": float(run.a[-1])} for start, run in self.slips.items()],
            "best_rates": best,
        }


def overlapping_classes(n: int) -> tuple[Array, Array]:
    """n samples (x, y) of two classes that overlap, the same ones every time: class 1 around x = −1, class 0 around x = 1."""
    generator = np.random.default_rng(2015)
    y = np.arange(n) % 2.0
    return np.round(np.where(y == 1, -1.0, 1.0) + 0.9 * generator.standard_normal(n), 3), y


def formula_claims() -> list[Claim]:
    """Each formula of the article at chosen points, in 50 digits, against what the library computes there."""
    sigmoid, quadratic = Sigmoid(), output("quadratic@identity")
    bernoulli, logistic, softmax = output("cross-entropy@sigmoid"), output("logistic@identity"), output("cross-entropy@softmax")
    points = (-3.0, -0.5, 0.25, 4.0)
    labels = (0.0, 1.0)
    pairs = [(s, y) for s in points for y in labels]

    def agreement(id: str, expected: list[Any], computed: list[Any]) -> Claim:
        gap = max(abs(float(e) - float(c)) / max(abs(float(e)), 1e-300) for e, c in zip(expected, computed, strict=True))
        return Claim(id, f"{float(expected[0]):.6f}", f"{float(computed[0]):.6f}", gap < 1e-14)

    zero, ends = float(sigmoid(np.asarray(0.0))), [float(sigmoid(np.asarray(s))) for s in (40.0, -40.0)]
    answer = {s: formula("sigmoid").at(z=s) for s in points}
    signed = {0.0: -1.0, 1.0: 1.0}
    batch_a, batch_y = np.asarray(points), np.asarray([0.0, 1.0, 1.0, 0.0])
    mean = float(np.mean(quadratic.value(batch_a, batch_y)))
    z = np.asarray([2.0, 1.0, -0.5])
    return [
        agreement(
            "quadratic_formula",
            [*(formula("quadratic").at(a=s, y=y) for s, y in pairs), np.sum((batch_y - batch_a) ** 2) / (2 * len(points))],
            [*(quadratic.value(s, y) for s, y in pairs), mean],
        ),
        agreement("sigmoid_formula", list(answer.values()), [sigmoid(np.asarray(s)) for s in points]),
        Claim("sigmoid_half", "0.5", f"{zero:g}", zero == 0.5),
        Claim("sigmoid_ends", "→ 1, → 0", f"{ends[0]:.6f}, {ends[1]:.0e}", ends[0] == 1.0 and 0 < ends[1] < 1e-15),
        agreement(
            "cross_entropy_formula",
            [formula("cross_entropy").at(a=answer[s], y=y) for s, y in pairs],
            [bernoulli.value(s, y) for s, y in pairs],
        ),
        agreement(
            "likelihood",
            [formula("minus_log_likelihood").at(a=answer[s], y=y) for s, y in pairs],
            [bernoulli.value(s, y) for s, y in pairs],
        ),
        agreement(
            "logistic_formula",
            [formula("logistic").at(s=s, y=signed[y]) for s, y in pairs],
            [logistic.value(s, signed[y]) for s, y in pairs],
        ),
        agreement(
            "softmax_formula",
            [formula("softmax_cross_entropy_3").at(z_1=z[0], z_2=z[1], z_3=z[2], z_y=z[k]) for k in range(3)],
            [softmax.value(z, k) for k in range(3)],
        ),
    ]
