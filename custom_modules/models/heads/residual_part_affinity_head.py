from __future__ import annotations

import torch
from mmengine.model.weight_init import normal_init
from mmpose.registry import MODELS
from torch import nn

from ..convolution import NormedConv2d
from ..losses import MaskedL2Loss
from .part_affinity_head import Maps, PartAffinityHead


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the second dilated, added to the input (He et al., CVPR 2016)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            NormedConv2d(channels, channels, 3),
            NormedConv2d(channels, channels, 3, dilation=dilation),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to maps of the same size."""
        return inputs + self.layers(inputs)


class ResidualStage(nn.Module):
    """Residual blocks whose last map gives fields and heatmaps by one 1x1 convolution.

    Args:
        in_channels: those of the stage's input; if they are not ``channels``, a 1x1 convolution makes them so.
        channels: those of the blocks.
        num_blocks: the number of blocks.
        dilation: that of each block's second convolution.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_blocks: int,
        dilation: int,
        paf_channels: int,
        heatmap_channels: int,
    ) -> None:
        super().__init__()
        layers = [] if in_channels == channels else [NormedConv2d(in_channels, channels, 1)]
        layers.extend(ResidualBlock(channels, dilation) for _ in range(num_blocks))
        self.trunk = nn.Sequential(*layers)
        self.outputs = nn.Conv2d(channels, paf_channels + heatmap_channels, 1)
        self.sizes = [paf_channels, heatmap_channels]

    def forward(self, inputs: torch.Tensor) -> Maps:
        """(B, C, H, W) to fields (B, 2 L, H, W) and heatmaps (B, K + 1, H, W)."""
        pafs, heatmaps = self.outputs(self.trunk(inputs)).split(self.sizes, dim=1)
        return pafs, heatmaps


@MODELS.register_module()
class ResidualPartAffinityHead(PartAffinityHead):
    """OpenPose stages of residual blocks with batch norm: dense 3x3 convolutions, which are fast on CPUs.

    Args:
        in_channels: the number of channels of the neck's or the backbone's last feature map, and of the blocks.
        decoder: the config of the ``PartAffinityField`` codec.
        num_stages: the number of stages, at least 1. Each has its losses.
        num_blocks: the number of residual blocks in a stage.
        dilation: the dilation of each block's second convolution.
        loss: the config of the fields' loss.
        heatmap_loss: the config of the heatmaps' loss; without it, ``loss``.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        num_stages: int = 2,
        num_blocks: int = 2,
        dilation: int = 2,
        loss: dict = dict(type=MaskedL2Loss),
        heatmap_loss: dict | None = None,
        init_cfg: dict = dict(type='Kaiming', layer='Conv2d'),
    ) -> None:
        super().__init__(decoder, loss, heatmap_loss, init_cfg)
        out = self.paf_channels, self.heatmap_channels
        for number in range(num_stages):
            channels = in_channels + sum(out) if number else in_channels
            self.stages.append(ResidualStage(channels, in_channels, num_blocks, dilation, *out))

    def init_weights(self) -> None:
        """As ``init_cfg`` says, and maps start near zero, as most of their cells end."""
        super().init_weights()
        for stage in self.stages:
            normal_init(stage.outputs, std=0.01)
