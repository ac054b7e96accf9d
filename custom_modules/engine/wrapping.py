"""Models without what wraps them in a run of several processes, and parts of models that do something else as well."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside a wrapper of MMEngine's, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def extend(part: nn.Module, adapter: type, **attributes: object) -> None:
    """Let a part of a built model be of a subclass, whose methods ``adapter`` has, as PyTorch's parametrizations do.

    Its weights, their names and its place in the model stay.
    """
    part.__class__ = type(type(part).__name__, (adapter, type(part)), {})
    for name, value in attributes.items():
        setattr(part, name, value)
