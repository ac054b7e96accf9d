"""Models as they are, without what wraps them in a run of several processes."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a wrapper of MMEngine's, or the model itself."""
    return model.module if is_model_wrapper(model) else model
