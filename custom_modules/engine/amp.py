"""Mixed precision on machines without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner.amp import autocast
from mmpose.models.heads.base_head import BaseHead
from torch import nn

from .guard import GuardedOptimWrapper
from .wrapping import unwrapped


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(GuardedOptimWrapper):
    """Runs the forward pass in bfloat16, the only half precision CPUs have.

    MMEngine's AmpOptimWrapper refuses to be built without a GPU. bfloat16 has the range of
    float32, so no loss is scaled.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward pass."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16), _float32_outputs(model):
            yield


@contextmanager
def _float32_outputs(model: nn.Module) -> Iterator[None]:
    """Let the model's head put out float32 where it is one of MMPose's that puts out a tensor.

    Those turn their outputs into NumPy arrays to report an accuracy, and NumPy has no bfloat16.
    """
    head = getattr(unwrapped(model), 'head', None)
    if not isinstance(head, BaseHead):
        yield
        return
    forward = head.forward

    def float32_forward(*args: object) -> object:
        outputs = forward(*args)
        return outputs.float() if isinstance(outputs, torch.Tensor) else outputs

    head.forward = float32_forward
    try:
        yield
    finally:
        del head.forward
