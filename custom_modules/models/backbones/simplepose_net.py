from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

# Of the three convolutions; each halves the map.
_KERNELS = (7, 3, 3)


@MODELS.register_module()
class SimplePoseNet(BaseModule):
    """Three convolutions with batch norm and ReLU, 7 x 7, 3 x 3 and 3 x 3, each of stride 2: a map of stride 8.

    Its head is one transposed convolution, 4 x 4 of stride 2, to a heatmap a joint: MMPose's HeatmapHead with
    ``deconv_out_channels=None`` and ``final_layer=dict(type='deconv', kernel_size=4, stride=2, padding=1)``.

    Args:
        channels: the numbers of channels of the three convolutions.
    """

    def __init__(self, channels: Sequence[int] = (64, 128, 256), init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg)
        layers: list[nn.Module] = []
        for in_channels, out_channels, kernel in zip((3, *channels[:-1]), channels, _KERNELS, strict=True):
            layers += [
                nn.Conv2d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """(B, 3, H, W) images to a tuple of one (B, channels[-1], H / 8, W / 8) feature map."""
        return (self.layers(inputs),)
