from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model.weight_init import normal_init
from mmpose.registry import MODELS
from torch import nn

from ..losses import MaskedL2Loss
from .part_affinity_head import Maps, PartAffinityHead

_BLOCKS = 5


class DenseBlock(nn.ModuleList):
    """Three 3x3 convolutions in a row instead of one 7x7, each with PReLU.

    The output is the concatenation of all three.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__(
            nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.PReLU(width))
            for channels in (in_channels, width, width)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, in, H, W) to (B, 3 width, H, W)."""
        outputs = []
        for layer in self:
            inputs = layer(inputs)
            outputs.append(inputs)
        return torch.cat(outputs, dim=1)


class DenseStage(nn.Module):
    """Five dense blocks and two 1x1 convolutions.

    Args:
        width: channels of a convolution in the blocks.
        hidden: channels between the two 1x1 convolutions.
    """

    def __init__(self, in_channels: int, width: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(DenseBlock(in_channels if number == 0 else 3 * width, width) for number in range(_BLOCKS))
        )
        self.output = nn.Sequential(
            nn.Conv2d(3 * width, hidden, 1), nn.PReLU(hidden), nn.Conv2d(hidden, out_channels, 1)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        return self.output(self.blocks(inputs))


@MODELS.register_module()
class OpenPose2019Head(PartAffinityHead):
    """OpenPose's stages of 2019: fields first, then heatmaps that see the last fields.

    Cao et al., TPAMI 2019, figure 3, and the network of OpenPose's model BODY_25. With ``OpenPoseVGG``, its
    PReLUs and BODY_25's skeleton the network has 26,166,084 parameters. Takes any backbone whose last map has
    the codec's stride.

    A field stage sees the features and the previous fields, a heatmap stage the features, the previous heatmaps and
    the last fields.

    Args:
        in_channels: the number of channels of the backbone's last feature map.
        decoder: the config of the ``PartAffinityField`` codec.
        paf_stages: the number of stages that predict fields, at least 1.
        heatmap_stages: the number of stages that predict heatmaps, at least 1.
        widths: the channels of the blocks' convolutions, in the first stage of each kind and in the later ones.
        hidden: the channels of the last layer but one, in the first stage of each kind and in the later ones.
        loss: the config of the loss.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        paf_stages: int = 4,
        heatmap_stages: int = 2,
        widths: tuple[int, int] = (96, 128),
        hidden: tuple[int, int] = (256, 512),
        loss: dict = dict(type=MaskedL2Loss),
        # With the standard deviation of 2017, 0.01, nothing of the input is left after the layers of a stage.
        init_cfg: dict = dict(type='Kaiming', layer='Conv2d', a=0.25, nonlinearity='leaky_relu'),
    ) -> None:
        super().__init__(decoder, loss, init_cfg=init_cfg)
        self.paf_stages = paf_stages
        kinds = (
            (paf_stages, in_channels, self.paf_channels),
            (heatmap_stages, in_channels + self.paf_channels, self.heatmap_channels),
        )
        for count, seen, out in kinds:
            for number in range(count):
                later = min(number, 1)
                self.stages.append(DenseStage(seen + later * out, widths[later], hidden[later], out))

    def init_weights(self) -> None:
        """As ``init_cfg`` says, and maps start near zero, as most of their cells end."""
        super().init_weights()
        for stage in self.stages:
            normal_init(stage.output[-1], std=0.01)

    def forward(self, feats: Sequence[torch.Tensor]) -> list[Maps]:
        """Feature maps, of which the last (B, C, H, W) is used, to the maps of all stages.

        Returns:
            Pairs of fields (B, 2 L, H, W) and heatmaps (B, K + 1, H, W), the last stages of both last. Where there are
            more stages of one kind, the first pairs have None for the other.
        """
        features = feats[-1]
        pafs, heatmaps = [], []
        for stage in self.stages[: self.paf_stages]:
            pafs.append(stage(torch.cat([features, *pafs[-1:]], dim=1)))
        for stage in self.stages[self.paf_stages :]:
            heatmaps.append(stage(torch.cat([features, *heatmaps[-1:], pafs[-1]], dim=1)))
        length = max(len(pafs), len(heatmaps))
        padded = ([None] * (length - len(maps)) + maps for maps in (pafs, heatmaps))
        return list(zip(*padded, strict=True))
