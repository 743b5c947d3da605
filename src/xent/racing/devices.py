"""Where the lanes of a race learn: the processor, or a GPU through PyTorch. All that the race knows of PyTorch stands here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import numpy as np

from xent.arrays import Array
from xent.errors import InputError

CPU = "cpu"
INSTEAD = "Or leave the device out, to race on the processor."

_ALONE = Lock()
"""One heat at a time: the threads of a cluster's worker share its GPU and PyTorch's settings."""


def named(device: Any) -> str:
    """A device by its name: cpu, cuda or cuda:1; cpu:0 is PyTorch on the processor.

    >>> named("cuda:1")
    'cuda:1'
    """
    name = str(device)
    if not re.fullmatch(r"cpu(:0)?|cuda(:\d+)?", name):
        raise InputError(
            f"a race runs on 'cpu', on 'cuda' or, with more than one GPU, on 'cuda:1' and so on, but the device {name!r} came. "
            "PyTorch's other devices are not supported: accuracies are taken in float64, which not all of them have."
        )
    return name


def insist(device: str) -> None:
    """An error where the device is not there, with the reason."""
    if device == CPU:
        return
    try:
        import torch
    except ImportError as error:
        raise InputError(f"the device {device!r} needs PyTorch: pip install 'xent[torch]'. {INSTEAD}") from error
    about: Any = torch
    lacking = lack(device, about.__version__, about.backends.cuda.is_built(), about.cuda.device_count())
    if lacking:
        raise InputError(f"the device {device!r} is not there: {lacking} {INSTEAD}")
    try:
        (torch.zeros(1, device=device) + 1).cpu()
    except RuntimeError as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(f"the device {device!r} is there, but does not compute: {first}. {INSTEAD}") from error


def lack(device: str, version: str, built: bool, count: int) -> str:
    """Why a GPU of this name cannot be used, from what PyTorch says of itself; nothing where it can.

    >>> lack("cuda:7", "2.9", built=True, count=2)
    'there are 2 GPUs, cuda:0 to cuda:1.'
    """
    if device.startswith(CPU):
        return ""
    if not built:
        return f"the PyTorch installed ({version}) computes on processors only. Install one with CUDA (pytorch.org/get-started)."
    if not count:
        return "PyTorch sees no GPU. `nvidia-smi` shows whether the driver does; CUDA_VISIBLE_DEVICES must not hide it."
    if int(device.partition(":")[2] or 0) >= count:
        return "there is 1 GPU, cuda:0." if count == 1 else f"there are {count} GPUs, cuda:0 to cuda:{count - 1}."
    return ""


def placer(device: str) -> Callable[[np.ndarray], Array]:
    """What puts an array where the race is run: NumPy on the processor, PyTorch elsewhere."""
    if device == CPU:
        return lambda array: array
    import torch

    return lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)


@contextmanager
def computing(device: str) -> Iterator[None]:
    """While a heat runs: alone on its device, float32 products in float32 whatever is switched on, memory errors in words."""
    if device == CPU:
        yield
        return
    insist(device)
    import torch

    with _ALONE, _whole_products(torch):
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"the memory of {device!r} does not hold this heat: {str(error).splitlines()[0]} Race fewer rates or seeds, or "
                f"fewer hidden units. {INSTEAD}"
            ) from error


@contextmanager
def _whole_products(torch: Any) -> Iterator[None]:
    """No TF32 and no bfloat16 inside float32 products; the user's own settings, old or new, come back afterwards."""
    newer = [m for m in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul) if hasattr(m, "fp32_precision")]
    single = [(m, m.fp32_precision) for m in newer]
    overall = None
    with suppress(RuntimeError):  # old and new settings that contradict each other: the new ones hold
        overall = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        if overall is not None:
            torch.set_float32_matmul_precision(overall)
        for module, precision in single:
            module.fp32_precision = precision
