"""Mixed precision on machines without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner.amp import autocast
from torch import nn

from .guard import GuardedOptimWrapper


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(GuardedOptimWrapper):
    """Runs the forward pass in bfloat16, the only half precision CPUs have.

    MMEngine's AmpOptimWrapper refuses to be built without a GPU. bfloat16 has the range of
    float32, so no loss is scaled.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward pass."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
