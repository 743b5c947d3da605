"""`watch`: the doctor while training. It looks at the first step, and then so seldom that it costs under 5 % of the time.

A look runs a copy of the model on the batch of that step: the first is a whole diagnosis, the later ones read the gain. Two things
can only be seen over time, and are seen here: means of unequal micro-batches between two steps of the optimizer, and learning that
stalls as the gain falls. How long it rests is reckoned in steps, from what the last look cost: the look itself, and what the steps
around it took longer than their like.
"""

from __future__ import annotations

import gc
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.overrides import TorchFunctionMode

from xent import texts
from xent.doctor import evidence, guard
from xent.doctor.diagnosing import diagnose
from xent.doctor.diagnosis import Diagnosis, Finding
from xent.doctor.following import NAMES
from xent.doctor.observe import checked, observe
from xent.doctor.picture import Picture
from xent.errors import InputError, XentError

SHARE = 0.02
"""What looking may cost, as a share of the steps' own time; the rest of the 5 % is for the first look, and for what is not seen."""
AFTER = 8
"""So many steps after a look are timed: the first of them find their data gone from the processor's caches."""
UNEQUAL = 1.2


@dataclass(frozen=True)
class Look:
    """What one look saw: the step, the middle gain of the badly wrong samples, the share of those, and of them the stalled."""

    step: int
    gain: float
    wrong: float
    stalled: float


class watch:  # noqa: N801 - it is used as a function is
    """Watches a training loop; a context manager around it.

    Parameters
    ----------
    model, criterion
        As in `diagnose`. A criterion that is a module is watched wherever it is called; a plain function is, if it calls one of
        PyTorch's cost functions, or if the loop calls it as `seen.criterion`. None if the model returns its own cost.
    every
        Look at every n-th step of the optimizer, and at the first; by default at the first, and then so seldom that it stays
        below 5 % of the time. Where training ends without a step, it looks at the end.
    report
        Called with each new finding as it comes up.

    Attributes
    ----------
    findings : list of Finding
    looks : list of Look
    diagnosis : Diagnosis or None
        All findings so far together with the first look's picture and what was not checked.

    Raises
    ------
    InputError
        For a model that has nothing to train, or `every` below 1.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    >>> criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with watch(model, criterion) as seen:
    ...     for _ in range(3):
    ...         optimizer.zero_grad()
    ...         criterion(model(torch.randn(16, 4)), torch.randint(3, (16,))).backward()
    ...         optimizer.step()
    >>> [finding.rule for finding in seen.findings]
    ['probabilities-as-logits']
    """

    def __init__(
        self, model: Any, criterion: Any = None, *, every: int | None = None, report: Callable[[Finding], None] | None = None
    ) -> None:
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            raise InputError(f"every is a whole number of steps, at least 1, but {every!r} came.")
        self.model = checked(model, criterion, (torch.zeros(()), 0), None)
        self._criterion, self.every, self.report = criterion, every, report
        self.findings: list[Finding] = []
        self.looks: list[Look] = []
        self._whole: Diagnosis | None = None
        self._own = {id(p) for p in self.model.parameters()}
        self._calls = _Calls(self)
        self._handles: list[Any] = []
        self._armed: list[Any] = []
        self._inputs: tuple[Any, Any] | None = None
        self._given: tuple[Any, ...] | None = None
        self._counts: list[int] = []
        self._optimizers: dict[Any, bool] = {}
        self._step = self._next = 0
        self._took = 0.0
        self._moments: list[float] = []

    # ── the loop's side ────────────────────────────────────────────────────────────────────────────────────────────────

    def __deepcopy__(self, memo: Any) -> watch:
        """Itself: a copy of the model carries the hooks of the one watch, which rests while it looks."""
        return self

    def __enter__(self) -> watch:
        """Begins to watch."""
        if self._handles:
            raise InputError("this watch is on already: one `with` at a time.")
        self._handles = [register_optimizer_step_post_hook(self._stepped)]
        self._next, self._took, self._moments = 0, 0.0, [time.perf_counter()]
        self._arm()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Takes everything off the model; looks once more, unless training failed."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._rest()
        if error is None and self._inputs is not None:
            self._look()
        self._inputs = self._given = None
        self._optimizers = {}

    def criterion(self, *args: Any, **kwargs: Any) -> Any:
        """The criterion, watched: for a plain function."""
        if self._armed and not isinstance(self._criterion, nn.Module):
            self._given = args[1:]
        return self._criterion(*args, **kwargs)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """All findings so far as one diagnosis; None before the first look."""
        return None if self._whole is None else replace(self._whole, findings=tuple(self.findings))

    def __repr__(self) -> str:
        return f"<watch of {self}>"

    def __str__(self) -> str:
        return self.text()

    def text(self, language: str = "en") -> str:
        """How far it has come, in a line: steps, looks, findings, how the gain went. `diagnosis` says it all."""
        words = texts.page("doctor", language)["watch"]
        name, gains = type(self.model).__name__, [f"{look.gain:.3g}" for look in self.looks if not math.isnan(look.gain)]
        if self._whole is None:
            return str(words["unseen"].format(name=name, steps=self._step))
        rules = words["comma"].join(finding.rule for finding in self.findings)
        found = words["found"].format(n=len(self.findings), rules=rules) if rules else words["nothing"]
        gain = "" if not gains else words["gain"].format(gain=" → ".join(dict.fromkeys((gains[0], gains[-1]))))
        return str(words["seen"].format(name=name, steps=self._step, looks=max(len(self.looks), 1), found=found, gain=gain))

    def _repr_html_(self) -> str:
        """The line and the diagnosis so far, where a notebook shows the watch."""
        diagnosis = self.diagnosis
        return f"<p>{escape(str(self))}</p>" + ("" if diagnosis is None else diagnosis._repr_html_())

    @property
    def ok(self) -> bool:
        """Whether neither an error nor a warning has come up."""
        return all(finding.severity == "info" for finding in self.findings)

    def _arm(self) -> None:
        """The next step is seen. Between looks there are no hooks on the model, since even empty ones cost time."""
        if not self._armed:
            self._armed = [
                self.model.register_forward_pre_hook(self._before, with_kwargs=True),
                self.model.register_forward_hook(self._after),
            ]
            if isinstance(self._criterion, nn.Module):
                self._armed.append(self._criterion.register_forward_pre_hook(self._compared))

    def _rest(self) -> None:
        """Steps are not seen any more."""
        self._calls.stop()
        for handle in self._armed:
            handle.remove()
        self._armed = []

    def _before(self, module: Any, args: Any, kwargs: Any) -> None:
        if self._armed and torch.is_grad_enabled():
            self._calls.stop()
            self._inputs = (args, kwargs)

    def _after(self, module: Any, args: Any, output: Any) -> None:
        if self._armed and torch.is_grad_enabled():
            self._calls.start()

    def _compared(self, module: Any, args: Any) -> None:
        if self._armed and torch.is_grad_enabled():
            self._given = args[1:]

    def counted(self, args: Any, kwargs: Any) -> None:
        """A cost function of PyTorch is called on what this model returned."""
        given = kwargs.get("input", args[0] if args else None)
        target = kwargs.get("target", args[1] if len(args) > 1 else None)
        if not isinstance(given, Tensor) or not isinstance(target, Tensor) or not given.requires_grad:
            return
        if self._given is None and self._criterion is not None and not isinstance(self._criterion, nn.Module):
            self._given = (target,)
        if kwargs.get("reduction", "mean") == "mean":
            ignored = target == kwargs.get("ignore_index", -100)
            self._counts.append(target.numel() if target.is_floating_point() else int((~ignored).sum()))

    def _stepped(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """After a step of an optimizer of this model."""
        if optimizer not in self._optimizers:
            trained = [p for group in optimizer.param_groups for p in group["params"]]
            self._optimizers[optimizer] = any(id(p) in self._own for p in trained)
        if not self._optimizers[optimizer]:
            return
        self._step += 1
        if self._step < self._next:
            return
        if self._armed:
            self._calls.stop()
            self._weigh()
            if self._inputs is not None:
                self._look()
            self._rest()
        self._plan()

    def _weigh(self) -> None:
        """The micro-batches before this step."""
        counts, self._counts = self._counts, []
        if len(counts) > 1 and min(counts) > 0 and max(counts) > UNEQUAL * min(counts):
            seen = {"least": min(counts), "most": max(counts), "ratio": max(counts) / min(counts), "batches": len(counts)}
            self._tell(Finding("micro-batch-mean", "warning", seen, reason="no-goal"))

    # ── looking ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan(self) -> None:
        """After a step: time the steps after a look, rest as long as they say, then see the next one."""
        if self.every is not None:
            wait = self.every - self._step % self.every
            self._next = self._step + max(wait - 1, 1)
            if wait == 1:
                self._arm()
            return
        now = time.perf_counter()
        if len(self._moments) == AFTER + 2:
            self._moments, self._took = [now], 0.0
            self._arm()
            return
        self._moments.append(now)
        if len(self._moments) == AFTER + 2:
            self._next = self._step + _pause(self._moments, self._took)

    def _look(self) -> None:
        """One look: a whole diagnosis the first time, then the gain."""
        began, collecting = time.perf_counter(), gc.isenabled()
        inputs, given = self._inputs, self._given
        self._inputs, self._given = None, None
        self._rest()
        gc.disable()  # a look leaves nothing to collect, and its many objects would have all of the program's searched
        try:
            if inputs is not None and (given is not None or self._criterion is None):
                self._see(inputs, given or ())
        except XentError:
            pass  # training goes on; what it cannot be run on here raises in the loop itself
        except Exception as error:  # a mistake of the doctor is no reason to end a training
            warnings.warn(f"xent.torch.watch could not look at this step ({type(error).__name__}: {error}).", stacklevel=2)
        finally:
            if collecting:
                gc.enable()
        self._took = time.perf_counter() - began

    def _see(self, inputs: tuple[Any, Any], given: tuple[Any, ...]) -> None:
        args, kwargs = inputs
        criterion = self._criterion

        def forward(model: Any, batch: Any) -> Any:
            ((a, k), y) = batch
            output = model(*a, **k)
            return output if criterion is None else (output, *y)

        batch = ((args, kwargs), given)
        if self._whole is None:
            self._whole = diagnose(self.model, criterion, batch, forward=forward, try_cures=False)
            for finding in self._whole.findings:
                self._tell(finding)
            picture = self._whole.picture
        else:
            with guard.untouched(self.model, criterion), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seen = observe(self.model, criterion, batch, forward, again=False)
                picture = Picture.of(evidence.gather(seen))
                seen.trace.forget()
        self._note(picture)

    def _note(self, picture: Picture) -> None:
        """Keeps a look, and says when learning stalls as the gain falls."""
        if not picture.n:
            return
        self.looks.append(Look(self._step, picture.wrong_gain, picture.wrong / picture.n, picture.stalled / max(picture.wrong, 1)))
        first, last = self.looks[0], self.looks[-1]
        most = max((look.gain for look in self.looks if not math.isnan(look.gain)), default=math.nan)
        fallen = last.gain < 0.1 and last.gain < 0.5 * most
        if len(self.looks) >= 3 and fallen and last.wrong > 0.1 and last.wrong > 0.5 * first.wrong and last.stalled > 0.5:
            seen = {"steps": len(self.looks), "first": most, "last": last.gain, "wrong": last.wrong, "share": last.stalled}
            self._tell(Finding("stalling", "warning", seen, reason="no-goal"))

    def _tell(self, finding: Finding) -> None:
        """A finding, once for each rule, with the latest evidence."""
        old = next((i for i, f in enumerate(self.findings) if f.rule == finding.rule), None)
        if old is not None:
            self.findings[old] = finding
            return
        self.findings.append(finding)
        if self.report is not None:
            self.report(finding)


def _pause(moments: list[float], took: float) -> int:
    """How many steps to rest, so that a look is a small share of their time.

    moments: when the step before the look ended, then the step with the look, then each of those after it; took: the look's own
    seconds. A long interval may also be one with an evaluation in it, so that at most as much again as the look itself is counted.
    """
    with_look, *steps = (after - before for before, after in itertools.pairwise(moments))
    usual = statistics.median(steps)
    more = sum(steps, with_look - took) - usual * (len(steps) + 1)
    cost = took + min(max(more, 0.0), max(took, usual))
    return max(math.ceil(cost / (SHARE * max(usual, 1e-9))), AFTER)


class _Calls(TorchFunctionMode):
    """Sees the calls of cost functions between the model's output and the next step, in the steps that are looked at."""

    def __init__(self, owner: watch) -> None:
        super().__init__()
        self.owner, self.on = owner, False

    def start(self) -> None:
        """From here on."""
        if not self.on:
            self.on = True
            self.__enter__()

    def stop(self) -> None:
        """Up to here."""
        if self.on:
            self.on = False
            self.__exit__(None, None, None)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = NAMES.get(func)
        if name is not None and name != "one_hot" and torch.is_grad_enabled():
            self.owner.counted(args, kwargs)
        return func(*args, **kwargs)
