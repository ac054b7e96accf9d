"""The convolution that the small networks are built of."""

from __future__ import annotations

from torch import nn


class NormedConv2d(nn.Sequential):
    """A convolution without bias that keeps the map's size but for its stride, batch norm, and a rectifier.

    Args:
        in_channels, out_channels, kernel, stride, dilation: of the convolution; ``kernel`` is odd.
        eps: of batch norm.
        rectifier: class of the rectifier; None leaves it out.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        eps: float = 1e-5,
        rectifier: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        padding = (kernel - 1) // 2 * dilation
        layers = [
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(out_channels, eps),
        ]
        super().__init__(*layers, *([] if rectifier is None else [rectifier(inplace=True)]))
