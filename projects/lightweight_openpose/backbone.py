from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

# (output channels, stride, dilation) of MobileNet v1's separable blocks up to conv5_5. The fourth stride is dropped, so
# that the map keeps stride 8, and the block behind it is dilated instead.
_BLOCKS = (
    (64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1),
    (512, 1, 2), (512, 1, 1), (512, 1, 1), (512, 1, 1), (512, 1, 1),
)  # fmt: skip


@MODELS.register_module()
class DilatedMobileNet(BaseModule):
    """MobileNet v1 up to conv5_5 at stride 8, reduced to the channels that the stages share.

    Osokin, "Real-time 2D multi-person pose estimation on CPU: Lightweight OpenPose", 2018, section 3.2.

    Args:
        out_channels: of the feature map.
        width: factor of MobileNet's channels.
    """

    def __init__(
        self,
        out_channels: int = 128,
        width: float = 1.0,
        init_cfg: dict = dict(type='Kaiming', layer='Conv2d'),
    ) -> None:
        super().__init__(init_cfg)
        channels = round(32 * width)
        layers = [nn.Conv2d(3, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        for block, stride, dilation in _BLOCKS:
            layers.append(_separable(channels, round(block * width), stride, dilation))
            channels = round(block * width)
        self.features = nn.Sequential(*layers)
        self.align = nn.Sequential(nn.Conv2d(channels, out_channels, 1), nn.ReLU(inplace=True))
        self.trunk = nn.Sequential(*(_separable_without_norm(out_channels) for _ in range(3)))
        self.reduce = nn.Sequential(nn.Conv2d(out_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True))

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """(B, 3, H, W) images to a tuple of one (B, out_channels, H / 8, W / 8) feature map."""
        features = self.align(self.features(inputs))
        return (self.reduce(features + self.trunk(features)),)


def _separable(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, stride, dilation, dilation, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _separable_without_norm(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.ELU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.ELU(inplace=True),
    )
