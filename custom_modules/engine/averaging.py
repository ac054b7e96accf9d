from __future__ import annotations

import itertools

import torch
from mmengine.model import ExponentialMovingAverage
from mmpose.registry import MODELS
from torch import nn


@MODELS.register_module()
class GroupedEMA(ExponentialMovingAverage):
    """MMEngine's moving average of weights and buffers, all of them in one call.

    One by one, the hundreds of tensors of a network keep the program longer than a GPU needs for a training step.
    Arguments are those of MMEngine's, ``update_buffers`` is True.
    """

    def __init__(self, model: nn.Module, **kwargs: object) -> None:
        super().__init__(model, **dict(kwargs, update_buffers=True))

    def update_parameters(self, model: nn.Module) -> None:
        """Move the average towards the model; the first time, to it."""
        if self.steps == 0 or self.steps % self.interval:
            super().update_parameters(model)
            return
        average, current = (
            [
                tensor.detach()
                for tensor in itertools.chain(network.parameters(), network.buffers())
                if tensor.is_floating_point()
            ]
            for network in (self.module, model)
        )
        torch._foreach_lerp_(average, current, self.momentum)
        self.steps += 1
