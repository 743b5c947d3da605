"""One run of model and criterion on a copy, watched: the trace, the cost, and what the batch and the model brought to it.

`forward(model, batch)` may do what the batch needs: it returns what the criterion takes (one output, or a tuple of all its
arguments), or, without a criterion, the cost. Without `forward` a batch (x, y) means `criterion(model(x), y)`, several inputs
as `((x1, x2), y)` or `({"name": x}, y)`; without a criterion the model is given the batch and must return its own cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from xent.doctor import guard
from xent.doctor.following import NAMES, Calls, Operations, bare_calls
from xent.doctor.trace import Trace, Value
from xent.errors import ArrayKindError, InputError, ModelError, an

Forward = Callable[[Any, Any], Any]


@dataclass(eq=False)
class Observation:
    """What one run showed. `cost` is None where the criterion raised; `raised` is then its message."""

    model: nn.Module
    criterion: Any
    batch: Any
    forward: Forward | None
    trace: Trace
    cost: Tensor | None = None
    raised: str = ""
    error: Exception | None = None
    output: Any = None
    outputs: list[Value] = field(default_factory=list)
    """The tensors that the model returned."""
    fresh: Any = None
    """The batch as it was before the run."""
    start: tuple[Any, ...] = ()
    """Model, criterion and forward as they were before the run."""

    def gradient(self, tensors: list[Tensor]) -> list[Tensor | None]:
        """∂cost/∂tensor of each; None for what the cost does not reach."""
        if self.cost is None or not self.cost.requires_grad:
            return [None] * len(tensors)
        wanted = [t for t in tensors if t.requires_grad]
        try:
            got = iter(slopes(self.cost, wanted) if wanted else ())
        except Exception as error:
            raise ModelError(
                f"{type(error).__name__}: {error}\nthe backward pass raised this: cost.backward() would, too."
            ) from error
        found = [next(got) if t.requires_grad else None for t in tensors]
        return [g.to_dense() if g is not None and g.is_sparse else g for g in found]


def slopes(cost: Tensor, tensors: Sequence[Tensor]) -> list[Tensor | None]:
    """∂cost/∂tensor of each; None for what the cost does not reach. Behind a reentrant checkpoint by a whole backward pass."""
    if not _reentrant(cost):
        return list(torch.autograd.grad(cost, tensors, retain_graph=True, allow_unused=True))
    for tensor in tensors:
        tensor.grad = None
        tensor.retain_grad()
    cost.backward(retain_graph=True)
    return [tensor.grad for tensor in tensors]


def _reentrant(cost: Tensor) -> bool:
    """Whether something on the way to the cost was made by a reentrant checkpoint, which recorded nothing of its inside."""
    seen, todo = set(), [cost.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        if node.name() == "CheckpointFunctionBackward":
            return True
        seen.add(node)
        todo += [before for before, _ in node.next_functions]
    return False


def checked(given: Any, criterion: Any, batch: Any, forward: Any) -> nn.Module:
    """The model, if all that a run needs is there."""
    if not isinstance(given, nn.Module):
        raise ArrayKindError(f"model is a torch.nn.Module, but {said(given)} came.")
    for name, thing in (("criterion", criterion), ("forward", forward)):
        if thing is not None and not callable(thing):
            raise ArrayKindError(f"{name} is something that can be called, but {said(thing)} came.")
        if isinstance(thing, type):
            raise ArrayKindError(f"{name} is to be an instance, but the class {thing.__name__} came: write {thing.__name__}().")
    model: nn.Module = getattr(given, "_orig_mod", given)  # what torch.compile wraps
    parameters = list(model.parameters())
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise InputError(f"{type(model).__name__} has lazy layers without weights yet: run it once on a batch first.")
    if any(p.is_meta for p in parameters) and any(t.is_meta for t in tensors_in(batch)):
        raise InputError(
            f"{type(model).__name__} and its batch are on the meta device, which holds shapes and no numbers: move both to one "
            "that computes, with .to_empty(device='cpu') and new weights."
        )
    if any(p.is_inference() for p in parameters):
        raise InputError(f"{type(model).__name__} was made under torch.inference_mode(), so nothing in it can be trained.")
    if not any(p.requires_grad for p in parameters):
        why = "all of its parameters are frozen (requires_grad is False)" if parameters else "it has no parameters"
        raise InputError(f"nothing in {type(model).__name__} can be trained: {why}. Give the model that the optimizer trains.")
    tensors = tensors_in(batch)
    if not tensors and forward is None:
        raise InputError(f"the batch holds no tensor: give (x, y), or what your forward(model, batch) takes; {said(batch)} came.")
    homes = {p.device for p in parameters}
    if any(t.is_nested for t in tensors):
        raise InputError("the batch holds a nested tensor, whose rows have no common shape: give a padded one, as "
                         "torch.nested.to_padded_tensor makes it.")  # fmt: skip
    strange = [t.device for t in tensors if t.device not in homes and t.ndim]
    if strange and len(homes) == 1 and forward is None:
        home = next(iter(homes))
        raise InputError(
            f"the model is on {home} and the batch on {strange[0]}: move one of them, batch tensors with .to({str(home)!r})."
        )
    if forward is None and criterion is not None and not (isinstance(batch, list | tuple) and len(batch) == 2):
        raise InputError(f"without forward= the batch is a pair (x, y), but {said(batch)} came: say how it is used with "
                         "forward=lambda model, batch: (output, target).")  # fmt: skip
    return model


def observe(model: nn.Module, criterion: Any, batch: Any, forward: Forward | None, *, again: bool = True) -> Observation:
    """Run on copies and watch. The originals are untouched when this is called inside of `guard.untouched`.

    `again`: whether it is to be run again from the start, as cures are.
    """
    model, criterion, forward = guard.copies(model, criterion, forward)
    batch = guard.copied_batch(batch)
    for parameter in model.parameters():
        parameter.grad = None
    trace = Trace()
    seen = Observation(model, criterion, batch, forward, trace)
    if again:
        seen.start, seen.fresh = guard.copies(model, criterion, forward), guard.copied_batch(batch)
    _leaves(seen)
    with torch.enable_grad(), _places(model, trace), Calls(trace), Operations(trace):
        try:
            cost = cost_of(model, criterion, batch, forward, seen)
            seen.cost = scalar(cost)
        except Exception as error:
            refused = any(call.raised for call in trace.calls)  # by a cost, perhaps one of xent: the rules may know why
            if isinstance(error, ModelError) or (isinstance(error, InputError | ArrayKindError) and not refused):
                raise
            seen.raised, seen.error = f"{type(error).__name__}: {error}", error
    bare_calls(trace)
    return seen


def cost_of(model: Any, criterion: Any, batch: Any, forward: Forward | None, seen: Observation | None = None) -> Any:
    """What the criterion, or the model itself, says the cost is."""
    try:
        if forward is not None:
            output = forward(model, batch)
        elif criterion is None:
            output = _answer(model, batch)
        else:
            output = _answer(model, batch[0])
    except Exception as error:
        if seen is not None and any(call.raised for call in seen.trace.calls):
            raise  # a cost inside of the model: the rules may know why
        who = "forward" if forward is not None else "the model"
        alone = "; there is no criterion, so it was given the whole batch, to return its own cost" if criterion is None else ""
        raise ModelError(
            f"{type(error).__name__}: {error}\n{who} raised this before there was a cost to look at{alone}."
        ) from error
    if seen is not None:
        seen.output = output
        seen.outputs = [seen.trace.value(t) for t in tensors_in(output)]
        seen.trace.in_model = False
        if not seen.outputs:
            raise InputError(f"the model returned {said(output)} and no tensor: give forward=lambda model, batch: … that returns "
                             "the tensor which the criterion takes.")  # fmt: skip
    if criterion is None:
        return _own(output)
    if forward is not None:
        if isinstance(output, tuple) and not hasattr(output, "_fields"):
            return criterion(*output)
        target = batch[1] if isinstance(batch, list | tuple) and len(batch) == 2 else None
        return criterion(output) if target is None else criterion(output, target)
    return _compared(criterion, output, batch[1])


def _answer(model: Any, x: Any) -> Any:
    """What the model makes of one input, of several, or of named ones."""
    return model(**x) if isinstance(x, Mapping) else model(*x) if isinstance(x, tuple | list) else model(x)


def _compared(criterion: Any, output: Any, y: Any) -> Any:
    """The criterion on what the model returned; on its `.logits` where it takes a tensor and that is what there is."""
    logits = getattr(output, "logits", None)
    if isinstance(output, Tensor) or logits is None:
        return criterion(output, y)
    if type(criterion).__module__.startswith(("torch.nn.", "xent.")) or any(criterion is f for f in NAMES):
        return criterion(logits, y)
    try:
        return criterion(output, y)
    except (TypeError, AttributeError, KeyError, IndexError):
        return criterion(logits, y)


def _own(output: Any) -> Any:
    """The cost that a model returned by itself."""
    if isinstance(output, Tensor) and output.numel() == 1:
        return output
    named = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, list | tuple):
        single = [t for t in output if isinstance(t, Tensor) and t.numel() == 1 and t.is_floating_point()]
        if single:
            return single[0]
    raise InputError(
        f"there is no criterion, and the model returned {said(output)} instead of a cost: give a criterion, or a model (or "
        f"forward=) that returns one number."
    )


def scalar(cost: Any) -> Tensor:
    """The cost as one number: the first one of a tuple or dict, the mean of an unreduced one."""
    found = tensors_in(cost.get("loss", cost) if isinstance(cost, Mapping) else cost)
    found = [t for t in found if t.numel() == 1 and t.requires_grad] or [t for t in found if t.requires_grad] or found
    if not found or not found[0].is_floating_point():
        raise InputError(f"the criterion returned {said(cost)}, but a cost is a floating tensor that gradients flow from.")
    return found[0] if found[0].numel() == 1 else found[0].mean()


def tensors_in(thing: Any) -> list[Tensor]:
    """The tensors in an output of any structure."""
    if isinstance(thing, Tensor):
        return [thing]
    if isinstance(thing, Mapping):
        return [t for one in thing.values() for t in tensors_in(one)]
    if isinstance(thing, list | tuple | set):
        return [t for one in thing for t in tensors_in(one)]
    if hasattr(thing, "__dict__") and not isinstance(thing, nn.Module | type) and not callable(thing):
        return [t for one in vars(thing).values() for t in tensors_in(one)]
    return []


def _leaves(seen: Observation) -> None:
    """The values that were there before, by what they are."""
    trace = seen.trace
    for module, prefix in ((seen.model, ""), (seen.criterion, "criterion.")):
        if isinstance(module, nn.Module):
            for name, parameter in module.named_parameters():
                trace.leaf(parameter, "param", prefix + name)
            for name, buffer in module.named_buffers():
                trace.leaf(buffer, "buffer", prefix + name)
    pair = isinstance(seen.batch, list | tuple) and len(seen.batch) == 2
    parts = [("x", seen.batch[0]), ("y", seen.batch[1])] if pair else [("batch", seen.batch)]
    for role, part in parts:
        for i, tensor in enumerate(tensors_in(part)):
            if not trace.knows(tensor):
                trace.leaf(tensor, role, f"{role}{i or ''}")


@contextmanager
def _places(model: nn.Module, trace: Trace) -> Iterator[None]:
    """While it lasts the trace knows in which module it is."""
    handles = []
    for name, module in model.named_modules():

        def enter(_m: Any, _a: Any, name: str = name) -> None:
            trace.where.append(name)

        def leave(_m: Any, _a: Any, output: Any, name: str = name) -> None:
            if trace.where:
                trace.where.pop()
            if not name or not isinstance(output, Tensor):
                trace.returned += [trace.value(t) for t in tensors_in(output)]

        try:
            handles += [
                module.register_forward_pre_hook(enter, prepend=True),
                module.register_forward_hook(leave, always_call=True),
            ]
        except RuntimeError:  # scripted modules take no hooks
            continue
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def said(thing: Any) -> str:
    """What came, in a few words."""
    if isinstance(thing, Tensor):
        return f"a tensor of shape {tuple(thing.shape)} and {thing.dtype}"
    if isinstance(thing, list | tuple):
        return f"{an(type(thing).__name__)} of {len(thing)}"
    if isinstance(thing, Mapping):
        return f"{an(type(thing).__name__)} with {', '.join(map(repr, list(thing)[:5]))}"
    return "None" if thing is None else an(type(thing).__name__)
