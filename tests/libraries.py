"""The array libraries that everything is tried on: how to make an array of NumPy's, and the way back."""

from __future__ import annotations

from types import SimpleNamespace

import array_api_strict
import jax.numpy as jnp
import numpy as np
import torch

torch.set_num_threads(1)  # the tests themselves run side by side

LIBRARIES = {
    "numpy": SimpleNamespace(name="numpy", make=np.asarray, back=np.asarray),
    "torch": SimpleNamespace(name="torch", make=torch.asarray, back=lambda t: t.detach().numpy()),
    "jax": SimpleNamespace(name="jax", make=jnp.asarray, back=np.asarray),
    "strict": SimpleNamespace(name="strict", make=array_api_strict.asarray, back=np.asarray),
}
