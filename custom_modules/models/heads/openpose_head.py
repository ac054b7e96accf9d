from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn

from ..losses import MaskedL2Loss
from .part_affinity_head import Maps, PartAffinityHead


class OpenPoseStage(nn.Module):
    """Two branches of equal shape, one for the fields, one for the heatmaps.

    Args:
        in_channels: of the stage's input.
        kernels: sizes of the kernels of all layers but the last, whose kernel is 1.
        widths: their channels.
    """

    def __init__(
        self,
        in_channels: int,
        kernels: tuple[int, ...],
        widths: tuple[int, ...],
        paf_channels: int,
        heatmap_channels: int,
    ) -> None:
        super().__init__()
        self.paf = _branch(in_channels, kernels, widths, paf_channels)
        self.heatmap = _branch(in_channels, kernels, widths, heatmap_channels)

    def forward(self, inputs: torch.Tensor) -> Maps:
        """(B, C, H, W) to fields (B, 2 L, H, W) and heatmaps (B, K + 1, H, W)."""
        return self.paf(inputs), self.heatmap(inputs)


@MODELS.register_module()
class OpenPoseHead(PartAffinityHead):
    """OpenPose's stages: a first of 3x3 convolutions, then refinements of 7x7 convolutions, two branches each.

    Cao et al., CVPR 2017, figure 3. With six stages and ``OpenPoseVGG`` the network has 52,311,446 parameters.
    Takes any backbone whose last map has the codec's stride.

    Args:
        in_channels: the number of channels of the backbone's last feature map.
        decoder: the config of the ``PartAffinityField`` codec.
        num_stages: the number of stages, at least 1.
        loss: the config of the loss.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        num_stages: int = 6,
        loss: dict = dict(type=MaskedL2Loss),
        init_cfg: dict = dict(type='Normal', layer='Conv2d', std=0.01),
    ) -> None:
        super().__init__(decoder, loss, init_cfg=init_cfg)
        out = self.paf_channels, self.heatmap_channels
        self.stages.append(OpenPoseStage(in_channels, (3, 3, 3, 1), (128, 128, 128, 512), *out))
        for _ in range(num_stages - 1):
            self.stages.append(OpenPoseStage(in_channels + sum(out), (7,) * 5 + (1,), (128,) * 6, *out))


def _branch(in_channels: int, kernels: tuple[int, ...], widths: tuple[int, ...], out_channels: int) -> nn.Sequential:
    layers = []
    for kernel, width in zip(kernels, widths, strict=True):
        layers += [nn.Conv2d(in_channels, width, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        in_channels = width
    return nn.Sequential(*layers, nn.Conv2d(in_channels, out_channels, 1))
