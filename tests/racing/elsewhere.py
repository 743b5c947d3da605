"""A device of PyTorch's that is not the processor, where there is none: tensors "elsewhere", held by the processor behind it.

PyTorch itself takes them for another device's (its place for devices written in Python): `.numpy()` fails on them, and every
operation, and every number that leaves, comes through `carried_out`, which refuses what a GPU refuses and counts what makes the
processor wait. A GPU's rounding, memory and speed it cannot show.

PyTorch takes in such a device for a whole process; so this is a script, which `test_devices` runs. It teaches every output on it
and fails where something does not belong there or where more steps mean more waiting.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, product
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

NAME = "elsewhere"

CARRIES = ("aten::_to_copy", "aten::copy_", "aten::_copy_from")
LOOKS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select", "aten::_unique2")
PICKS = ("aten::index", "aten::index_put_")

waits: Counter[str] = Counter()
"""What carried numbers between the two ("carried") and what waited for a number to decide by ("looked")."""


class Elsewhere(torch.Tensor):
    """A tensor on the device; `held` are its numbers."""

    held: torch.Tensor
    __module__ = "torch"  # as a GPU's tensors are PyTorch's own

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Elsewhere:
        where: Any = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype, "device": f"{NAME}:0"}
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(cls, held.shape, **where)
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return carried_out(operation, args, kwargs or {})


def carried_out(operation: Any, args: Any, kwargs: Any) -> Any:
    """An operation on tensors of the device, or one that makes some; those of the processor have no business there."""
    name, given = operation.name().partition(".")[0], tree_leaves((args, kwargs))
    strange = [t for t in given if isinstance(t, torch.Tensor) and not isinstance(t, Elsewhere)]
    leaves = name == "aten::_to_copy" and torch.device("cpu") in given
    if (name in CARRIES and (strange or leaves)) or (name == "aten::where" and strange):  # `where` sends single numbers over
        waits["carried"] += 1
    elif any(t.ndim for t in strange):  # a single number may come along with a kernel's arguments
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {name} got some of {NAME} and some of the processor."
        )
    elif name in LOOKS or (name in PICKS and any(i is not None and i.dtype == torch.bool for i in args[1])):
        waits["looked"] += 1
    answer = operation(*tree_map(_held, args), **tree_map(_held, kwargs))
    return answer if leaves else tree_map(lambda x: Elsewhere(x) if isinstance(x, torch.Tensor) else x, answer)


def _held(x: Any) -> Any:
    if isinstance(x, torch.device) and x.type == NAME:
        return torch.device("cpu")
    return x.held if isinstance(x, Elsewhere) else x


def refused(mistake: Callable[[], Any]) -> bool:
    """Whether the device refuses it."""
    try:
        mistake()
    except (RuntimeError, TypeError):
        return True
    return False


class NumPys:
    """A user's cost that knows NumPy alone."""

    name, usual = "numpys", "sigmoid"

    def __call__(self, a: Any, y: Any) -> Any:
        return np.square(np.asarray(a) - np.asarray(y))

    def slope(self, a: Any, y: Any) -> Any:
        return 2 * (np.asarray(a) - np.asarray(y))


def main() -> None:
    """Every output with one activation and optimiser after another, or with every one of them where "all" is asked for."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    import xent
    from xent.data import load
    from xent.racing import devices, heats
    from xent.racing.plan import plan

    torch.set_num_threads(1)
    _setup_privateuseone_for_python_backend(NAME)
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda operation, *args, **kwargs: carried_out(operation, args, kwargs), "PrivateUse1")
    devices.insist = lambda device: None  # it asks CUDA

    there, here = torch.from_numpy(np.ones(3)).to(NAME), torch.ones(3)
    mistakes = there.numpy, lambda: np.asarray(there), lambda: np.argmax(there), lambda: there + here, lambda: there[here.long()]
    assert all(map(refused, mistakes))
    assert not refused(lambda: there + torch.ones(()))
    waits.clear()
    assert bool((there > 0).all())
    assert (there + 1).cpu().tolist() == [2, 2, 2]
    assert waits == {"looked": 1, "carried": 1}

    data = load("iris")

    def measured(output: Any, stage: str = "judging", **choices: Any) -> tuple[Any, int, int]:
        """What a heat measures there, the same as here, and how often it waited."""
        common = {"hidden": (4,), "l2": 0.01, "batch": 30, "epochs": 1, "goal": 0.5, "dtype": "float64", "seeds": 2}
        made, (taught,) = plan(data, [output], **common | choices)
        heat = heats.Heat(stage, 0, (0, 1), (0.05, 1e60))
        waits.clear()
        found = heats.run(replace(made, device=f"{NAME}:0"), data, taught, heat)
        counted = waits["carried"], waits["looked"]
        same = heats.run(replace(made, device="cpu:0"), data, taught, heat)
        assert found.equals(same), f"{output} {choices}"
        return found, *counted

    ways = list(product(("sigmoid", "tanh", "relu", "softplus"), ("sgd", "momentum", "adam")))
    diverged = 0
    for output, way in product(xent.catalogue(), ways) if "all" in sys.argv else zip(xent.catalogue(), cycle(ways)):
        found, *few = measured(output, activation=way[0], optimiser=way[1])
        diverged += found["diverged"].sum()
        if way == ways[0]:
            assert measured(output, batch=5)[1:] == tuple(few), f"{output}: more steps, more waiting"
    assert diverged
    measured("cross-entropy@softmax", "tuning", dtype="float32")
    measured("quadratic@sigmoid", resplit=True)
    _, carried, looked = measured(xent.output(NumPys(), "sigmoid"))
    assert carried + looked > 0


if __name__ == "__main__":
    main()
