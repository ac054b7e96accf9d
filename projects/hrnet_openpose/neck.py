from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import nn


@MODELS.register_module()
class JoinBranches(nn.Module):
    """HRNet's four branches as one map of stride 8.

    The finest is averaged over 2 x 2 cells, the coarser ones are enlarged. MMPose's FeatureMapProcessor does so to a
    fixed size when it is exported to ONNX; factors leave the size free.
    """

    def forward(self, feats: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
        """Maps (B, C, H, W) of strides 4, 8, 16 and 32 to a tuple of one, their channels in this order, of stride 8."""
        finest, second, third, coarsest = feats
        enlarged = (
            F.interpolate(maps, scale_factor=factor, mode='bilinear', align_corners=False)
            for maps, factor in ((third, 2.0), (coarsest, 4.0))
        )
        return (torch.cat([F.avg_pool2d(finest, 2), second, *enlarged], dim=1),)
