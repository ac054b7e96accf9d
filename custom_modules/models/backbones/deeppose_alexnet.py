from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

# Output channels, kernel, stride and padding of the convolutions; the first two are pooled.
_CONVOLUTIONS = ((96, 11, 4, 4), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1), (256, 3, 1, 1))
_POOLED = (0, 1)


@MODELS.register_module()
class DeepPoseAlexNet(BaseModule):
    """The network of DeepPose up to its regression layer: five convolutions and two fully connected layers.

    Krizhevsky et al. 2012 as Toshev and Szegedy use it: 96, 256, 384, 384, 256 channels, 3 x 3 pooling by 2 after the
    first, second and fifth, then 4096 and 4096 units with dropout. The last pooling always gives 6 x 6, so that any
    input works; at 220 pixels, with maps of 55, 27 and 13, it is the paper's. A small input keeps its few maps whole.

    Args:
        width: the number of units of a fully connected layer.
        dropout: the probability of dropout after these layers.
        batch_norm: add batch norm after each convolution. The paper has none and trains for days; with it, minutes do.
        response_norm: add local response normalisation after the first two convolutions.
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
        self.features = nn.Sequential(*layers)
        self.fully_connected = nn.Sequential(
            nn.AdaptiveMaxPool2d(6), nn.Flatten(),
            nn.Linear(36 * channels, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, H, W) to the fifth convolution's maps (B, 256, h, w) and (B, width)."""
        maps = self.features(inputs)
        return maps, self.fully_connected(maps)
