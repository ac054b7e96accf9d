from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

# Output channels, kernel, stride and padding of the convolutions; the first two and the last are pooled.
_CONVOLUTIONS = ((96, 11, 4, 4), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
_POOLED = (0, 1, 4)


@MODELS.register_module()
class DeepPoseAlexNet(BaseModule):
    """The network of DeepPose up to its regression layer: five convolutions and two fully connected layers.

    Krizhevsky et al. 2012 as Toshev and Szegedy use it: 96, 256, 384, 384, 256 channels, 3 x 3 pooling by 2 after the
    first, second and fifth, then 4096 and 4096 units with dropout. Its maps before those are averaged to 6 x 6, so that
    any input works; at 220 pixels they are 6 x 6 already, with maps of 55, 27 and 13 before, as in the paper.

    Args:
        width: of the fully connected layers.
        dropout: of their outputs.
        batch_norm: after each convolution; the paper has none, and learns in days what this learns in minutes.
        response_norm: local response normalisation after the first two convolutions.
    """

    def __init__(
        self,
        width: int = 4096,
        dropout: float = 0.6,
        batch_norm: bool = False,
        response_norm: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        layers: list[nn.Module] = []
        channels = 3
        for index, (out_channels, kernel, stride, padding) in enumerate(_CONVOLUTIONS):
            layers.append(nn.Conv2d(channels, out_channels, kernel, stride, padding, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.ReLU(inplace=True))
            if response_norm and index < 2:
                layers.append(nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0))
            if index in _POOLED:
                layers.append(nn.MaxPool2d(3, 2))
            channels = out_channels
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(6), nn.Flatten())
        self.fully_connected = nn.Sequential(
            nn.Linear(36 * channels, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """(B, 3, H, W) to a tuple of one (B, width)."""
        return (self.fully_connected(self.features(inputs)),)
