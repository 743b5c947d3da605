"""What PyTorch is doing just now: only when it does nothing but compute may a kernel read a tensor's memory."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter


def transformed() -> bool:
    """Whether derivatives are carried along with the values: inside torch.func (grad, vmap, jvp, …) or in forward mode."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def watched() -> bool:
    """Whether every operation is being recorded or replaced: fake tensors, make_fx, torch.jit.trace."""
    return torch._C._len_torch_dispatch_stack() > 0 or torch._C._get_tracing_state() is not None


def saved_elsewhere() -> bool:
    """Whether hooks take what is saved for the backward pass: checkpointing without reentry, saving on the CPU."""
    return torch._C._autograd._top_saved_tensors_default_hooks(False) is not None


def ordinary(x: Any) -> bool:
    """Whether x is a tensor with memory of its own on the CPU: no subclass or batch of tensors that stands for something else."""
    simple = type(x) in (Tensor, Parameter) and x.is_cpu and x.layout is torch.strided
    return simple and not x.is_nested and torch._C._has_storage(x)


def no_autocast(like: Tensor) -> Any:
    """A context in which products are made in the dtype that they are given in."""
    device = like.device.type
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def computing(*tensors: Any) -> bool:
    """Whether PyTorch does nothing but compute, with tensors whose memory can be read: what is no tensor does not count."""
    if transformed() or watched():
        return False
    for x in tensors:  # noqa: SIM110  # a generator expression takes as long as all the rest
        if isinstance(x, Tensor) and not ordinary(x):
            return False
    return True


def concrete(*tensors: Any) -> bool:
    """Whether PyTorch does nothing but compute, with tensors that have numbers, on whatever device: what is none does not count."""
    if transformed() or watched():
        return False
    return all(
        type(x) in (Tensor, Parameter) and not x.is_meta and x.layout is torch.strided and torch._C._has_storage(x)
        for x in tensors
        if isinstance(x, Tensor)
    )


def differentiated(*tensors: Any) -> bool:
    """Whether autograd wants the derivative by any of these."""
    return torch.is_grad_enabled() and any(isinstance(x, Tensor) and x.requires_grad for x in tensors)
