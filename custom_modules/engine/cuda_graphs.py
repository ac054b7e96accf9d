"""CUDA graphs of a network: a GPU does not wait for the program that names its operations one by one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.utils import _pytree as pytree

from classicpose.errors import UserError

from .wrapping import unwrapped


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
        part.forward = _Recorded(part)


class _Recorded:
    def __init__(self, part: nn.Module) -> None:
        self._part, self._original = part, part.forward
        self._graph, self._sizes = None, None

    def __call__(self, *args: object) -> object:
        if not (self._part.training and torch.is_grad_enabled()):
            return self._original(*args)
        sizes = [tensor.shape for tensor in pytree.tree_leaves(args)]
        if self._graph is None:
            self._record(args)
            self._sizes = sizes
        return (self._graph if sizes == self._sizes else self._original)(*args)

    def _record(self, args: tuple) -> None:
        examples = pytree.tree_map(lambda tensor: tensor.detach().clone().requires_grad_(tensor.requires_grad), args)
        precision = dict(
            dtype=torch.get_autocast_dtype('cuda'), enabled=torch.is_autocast_enabled('cuda'), cache_enabled=False
        )
        self._part.forward = self._original
        with torch.autocast('cuda', **precision):
            torch.cuda.make_graphed_callables(self._part, examples)
        self._graph, self._part.forward = self._part.forward, self


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    for name in ('backbone', 'neck'):
        if isinstance(getattr(model, name, None), nn.Module):
            yield getattr(model, name)
    yield from getattr(getattr(model, 'head', None), 'stages', ())
