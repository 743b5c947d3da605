"""Nothing that a diagnosis does is felt outside: it runs on a copy, and what a run could still touch is put back.

A criterion or a `forward` may reach the model through a closure, so the original's tensors, gradients and mode are kept and put
back too, and so are the random states of PyTorch, NumPy and Python.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from xent.errors import InputError


@contextmanager
def untouched(*things: Any) -> Iterator[None]:
    """Modules among `things`, gradients and all, and every random state are afterwards as they were, whatever happens."""
    modules = [module for thing in things if isinstance(thing, nn.Module) for module in thing.modules()]
    tensors = {id(t): t for module in modules for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))}
    kept = [
        (t, t._version, t.detach().clone(), t.grad, None if t.grad is None else t.grad.detach().clone()) for t in tensors.values()
    ]
    needs = [(t, t.requires_grad) for t in tensors.values()]
    modes = [(m, m.training) for m in modules]
    homes: list[Any] = [s for m in modules for s in (m._parameters, m._buffers, m._modules)]
    shelves = [(s, dict(s)) for s in homes if isinstance(s, dict)]
    hooks = [(shelf, list(shelf.items())) for module in modules for shelf in _hooks(module)]
    states = (torch.get_rng_state(), random.getstate(), np.random.get_state())  # noqa: NPY002 - what users' own code draws from
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    grad = torch.is_grad_enabled()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for shelf, before in shelves:
            if shelf.keys() != before.keys() or any(shelf[name] is not before[name] for name in before):
                shelf.clear()
                shelf.update(before)
        with torch.no_grad():
            for tensor, version, content, gradient, gradient_content in kept:
                if tensor._version != version or not torch.equal(tensor, content):  # running statistics change without a version
                    tensor.copy_(content)
                if gradient is not tensor.grad:
                    tensor.grad = gradient
                if gradient is not None and gradient_content is not None and not torch.equal(gradient, gradient_content):
                    gradient.copy_(gradient_content)
        for tensor, required in needs:
            if tensor.requires_grad != required:
                tensor.requires_grad_(required)
        for shelf, items in hooks:
            if list(shelf.items()) != items:
                shelf.clear()
                shelf.update(items)
        torch.set_grad_enabled(grad)
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _hooks(module: nn.Module) -> list[Any]:
    return [shelf for name, shelf in vars(module).items() if name.endswith("_hooks") and isinstance(shelf, dict)]


def copies(model: nn.Module, *others: Any) -> tuple[Any, ...]:
    """The model, the criterion and `forward` copied together, so that what they share stays shared."""
    held: dict[int, Any] = {}
    for thing in (model, *others):
        for module in thing.modules() if isinstance(thing, nn.Module) else ():
            for part in vars(module).values():
                _cut(part, held)
    try:
        return copy.deepcopy((model, *others), held)
    except Exception as error:
        raise InputError(
            f"the diagnosis runs on a copy, but copy.deepcopy of {type(model).__name__} raises {type(error).__name__}: {error}. "
            f"Take out what cannot be copied (open files, locks), or give the class a __deepcopy__."
        ) from error


def _cut(thing: Any, held: dict[int, Any]) -> None:
    """Tensors in the middle of a graph, which deepcopy refuses, are copied by their numbers."""
    if isinstance(thing, Tensor) and not thing.is_leaf:
        held[id(thing)] = thing.detach().clone()
    elif isinstance(thing, dict):
        for one in thing.values():
            _cut(one, held)
    elif isinstance(thing, list | tuple):
        for one in thing:
            _cut(one, held)


def copied_batch(batch: Any) -> Any:
    """The batch with its tensors copied, objects of the user's own classes too; the same tensor twice stays one."""
    made: dict[int, Any] = {}

    def one(thing: Any) -> Any:
        if not isinstance(thing, Tensor):
            if not hasattr(thing, "__dict__") or isinstance(thing, type | nn.Module):
                return thing
            try:
                return copy.deepcopy(thing, made)
            except Exception:  # an open file, say: it is used as it is
                return thing
        if id(thing) not in made:
            made[id(thing)] = thing.detach().clone().requires_grad_(thing.requires_grad)
        return made[id(thing)]

    return tree_map(one, batch)
