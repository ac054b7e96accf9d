from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

from ..convolution import NormedConv2d


@MODELS.register_module()
class FinestLevelFPN(BaseModule):
    """A feature pyramid that computes and returns the finest level only.

    Lin et al., "Feature pyramid networks for object detection", CVPR 2017: 1x1 convolutions bring all maps to the same
    number of channels, each coarser map is added to the next finer one, and a 3x3 convolution smooths the sum. MMPose's
    FPN returns all levels, the coarsest last, and computes a 3x3 convolution for each of them.

    Args:
        in_channels: the numbers of channels of the backbone's maps, finest first. Each map has half the height and
            width of the one before.
        out_channels: the number of channels of the returned map.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, init_cfg: dict = dict(type='Kaiming', layer='Conv2d')
    ) -> None:
        super().__init__(init_cfg)
        self.laterals = nn.ModuleList(NormedConv2d(channels, out_channels, 1) for channels in in_channels)
        self.smooth = NormedConv2d(out_channels, out_channels, 3)

    def forward(self, feats: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
        """Maps (B, C, H, W), (B, C', ceil(H / 2), ceil(W / 2)), ... to a tuple of one (B, out_channels, H, W)."""
        *finer, coarsest = (lateral(feat) for lateral, feat in zip(self.laterals, feats, strict=True))
        joined = coarsest
        for level in reversed(finer):
            # Heights and widths that are odd halve to the larger half.
            height, width = level.shape[-2:]
            joined = level + F.interpolate(joined, scale_factor=2.0)[..., :height, :width]
        return (self.smooth(joined),)
