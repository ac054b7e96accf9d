from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from .wrapping import unwrapped


def compile_for_training(model: nn.Module, settings: dict | bool) -> None:
    """Compile what of a model takes the time: backbone, neck and stages of the head, for training alone.

    Training crops are of one size; validation images are not, and every size would be compiled anew. Weights and their
    names stay as they are.

    Args:
        settings: of :func:`torch.compile`; True for its defaults, and with False nothing is compiled.
    """
    if settings is False:
        return
    for part in _parts(unwrapped(model)):
        part.forward = _Forward(part, torch.compile(part.forward, **({} if settings is True else settings)))


class _Forward:
    def __init__(self, part: nn.Module, compiled: object) -> None:
        self._part, self._original, self._compiled = part, part.forward, compiled

    def __call__(self, *args: object) -> object:
        return (self._compiled if self._part.training else self._original)(*args)


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    for name in ('backbone', 'neck'):
        if isinstance(getattr(model, name, None), nn.Module):
            yield getattr(model, name)
    yield from getattr(getattr(model, 'head', None), 'stages', ())
