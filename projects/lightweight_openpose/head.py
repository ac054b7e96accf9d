from __future__ import annotations

import torch
from mmengine.model.weight_init import normal_init
from mmpose.registry import MODELS
from torch import nn

from custom_modules.models import MaskedL2Loss, PartAffinityHead


class _TwoOutputs(nn.Module):
    """A trunk shared by fields and heatmaps, then a narrow 1x1 branch for each.

    Args:
        trunk: (B, in, H, W) to (B, trunk_channels, H, W).
        hidden: channels between the two 1x1 convolutions of a branch.
    """

    def __init__(
        self, trunk: nn.Module, trunk_channels: int, hidden: int, paf_channels: int, heatmap_channels: int
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.paf = _branch(trunk_channels, hidden, paf_channels)
        self.heatmap = _branch(trunk_channels, hidden, heatmap_channels)

    def init_outputs(self) -> None:
        for branch in (self.paf, self.heatmap):
            normal_init(branch[-1], std=0.01)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.trunk(inputs)
        return self.paf(features), self.heatmap(features)


class _RefinementBlock(nn.Module):
    """A 1x1 convolution, then a residual pair of 3x3 convolutions, the second dilated.

    Its receptive field is that of a 7x7 convolution, at a third of the cost.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.ReLU(inplace=True))
        self.residual = nn.Sequential(
            *(
                layer
                for dilation in (1, 2)
                for layer in (
                    nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(inplace=True),
                )
            )
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        squeezed = self.squeeze(inputs)
        return squeezed + self.residual(squeezed)


@MODELS.register_module()
class LightweightOpenPoseHead(PartAffinityHead):
    """One initial stage and ``num_refinements`` refinements, fields and heatmaps computed from one trunk.

    Osokin 2018, section 3.3.

    Args:
        in_channels: of the backbone's feature map.
        decoder: config of the ``PartAffinityField`` codec.
        num_refinements: refinement stages, one in the paper's network.
        loss: config of the loss.
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        num_refinements: int = 1,
        loss: dict = dict(type=MaskedL2Loss),
        init_cfg: dict = dict(type='Kaiming', layer='Conv2d'),
    ) -> None:
        super().__init__(decoder, loss, init_cfg=init_cfg)
        out = self.paf_channels, self.heatmap_channels
        trunk = []
        for _ in range(3):
            trunk += [nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU(inplace=True)]
        self.stages.append(_TwoOutputs(nn.Sequential(*trunk), in_channels, 512, *out))
        for _ in range(num_refinements):
            widths = [in_channels + sum(out)] + [in_channels] * 5
            blocks = (_RefinementBlock(*pair) for pair in zip(widths, widths[1:], strict=False))
            self.stages.append(_TwoOutputs(nn.Sequential(*blocks), in_channels, in_channels, *out))

    def init_weights(self) -> None:
        super().init_weights()
        for stage in self.stages:
            stage.init_outputs()  # maps start near zero, as most of their cells end


def _branch(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv2d(hidden, out_channels, 1))
