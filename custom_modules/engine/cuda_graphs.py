"""CUDA graphs of a network: a GPU does not wait for the program that names its operations one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.utils import _pytree as pytree

from classicpose.errors import UserError

from .wrapping import extend, unwrapped


def record_for_training(model: nn.Module) -> None:
    """Record backbone, neck and stages of the head as CUDA graphs, at the first training step.

    A graph is started as a whole, where a network's thousands of operations are named one after another otherwise.
    Validation, and batches of another size than the first, go the ordinary way. Weights and their names stay as they
    are.

    Raises:
        UserError: without a GPU, or for a model that has none of these parts, a cascade for example.
    """
    if not torch.cuda.is_available():
        raise UserError('cuda_graphs=True needs a GPU: leave it out')
    network = unwrapped(model)
    parts = list(_parts(network))
    if not parts:
        raise UserError(
            f'cuda_graphs=True: {type(network).__name__} has no backbone, neck or head stages to record: leave it out'
        )
    for part in parts:
        extend(part, _Recorded)


class _Recorded:
    """A part whose training steps are a graph, recorded at the first."""

    _graph = _sizes = None

    def forward(self, *args: object) -> object:
        original = super().forward
        if not (self.training and torch.is_grad_enabled()):
            return original(*args)
        sizes = [tensor.shape for tensor in pytree.tree_leaves(args)]
        if self._graph is None:
            self._graph, self._sizes = _record(_Original(self, original), args), sizes
        return (self._graph if sizes == self._sizes else original)(*args)


class _Original(nn.Module):
    """A part as it is without recording, for PyTorch, which replaces the ``forward`` of what it records."""

    def __init__(self, part: nn.Module, forward: Callable) -> None:
        super().__init__()
        self.part, self._forward = part, forward

    def forward(self, *args: object) -> object:
        return self._forward(*args)


def _record(part: _Original, args: tuple) -> Callable:
    examples = pytree.tree_map(lambda tensor: tensor.detach().clone().requires_grad_(tensor.requires_grad), args)
    precision = dict(
        dtype=torch.get_autocast_dtype('cuda'), enabled=torch.is_autocast_enabled('cuda'), cache_enabled=False
    )
    with torch.autocast('cuda', **precision):
        torch.cuda.make_graphed_callables(part, examples)
    return part.forward


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    for name in ('backbone', 'neck'):
        if isinstance(getattr(model, name, None), nn.Module):
            yield getattr(model, name)
    yield from getattr(getattr(model, 'head', None), 'stages', ())
