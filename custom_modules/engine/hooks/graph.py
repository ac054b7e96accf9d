"""The network's graph in TensorBoard."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import TensorboardVisBackend
from mmpose.registry import HOOKS
from torch import Tensor, nn

from ..wrapping import unwrapped


@HOOKS.register_module()
class ModelGraphHook(Hook):
    """Add the network's graph to TensorBoard, where the visualizer has that back-end.

    It is traced from a copy of the model, just before the first step of training, because then
    the size of the inputs is known. A model that cannot be traced costs a line of warning.
    """

    def before_train(self, runner: Runner) -> None:
        self._pending = is_main_process()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        if not self._pending:
            return
        self._pending = False
        for backend in runner.visualizer._vis_backends.values():
            if isinstance(backend, TensorboardVisBackend):
                try:
                    _add_graph(backend, unwrapped(runner.model), data_batch['inputs'][0].shape)
                # Whatever a plug-in's network does while traced, it can still be trained.
                except Exception as error:
                    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                    runner.logger.warning(f'TensorBoard gets no model graph: {reason}')


class _Network(nn.Module):
    """What of an estimator can be traced: an image tensor in, tensors out."""

    def __init__(self, estimator: nn.Module) -> None:
        super().__init__()
        self.estimator = estimator

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(_tensors(self.estimator(inputs, None, mode='tensor')))


def _tensors(output: object) -> Iterator[Tensor]:
    """The tensors in nested sequences and mappings."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(list(output.values()))
    elif isinstance(output, Sequence):
        for item in output:
            yield from _tensors(item)


def _add_graph(backend: TensorboardVisBackend, model: nn.Module, shape: Sequence[int]) -> None:
    """Trace the model on one image of zeros of the shape (C, H, W)."""
    device = next(model.parameters()).device
    network = _Network(copy.deepcopy(model)).eval()
    inputs = torch.zeros(1, *shape, device=device)
    with (
        torch.no_grad(),
        torch.random.fork_rng([device] if device.type == 'cuda' else []),
        warnings.catch_warnings(),
        # add_graph prints the error that it also raises.
        contextlib.redirect_stdout(io.StringIO()),
    ):
        # The tracer warns about every Python number that is made of a tensor's shape.
        warnings.simplefilter('ignore')
        backend.experiment.add_graph(network, inputs)
