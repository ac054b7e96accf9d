from __future__ import annotations

import torch
from mmpose.registry import MODELS
from torch import nn


@MODELS.register_module()
class MaskedL2Loss(nn.Module):
    """Half the squared error, summed over channels and cells and averaged over the batch.

    Caffe's EuclideanLoss, to which OpenPose's learning rates belong: with a mean over cells they would be 10^4 to 10^5
    times too small. The mask multiplies the error, and the sum is divided by the number of images alone, so that a
    masked image weighs less instead of more.

    Args:
        loss_weight: the loss is multiplied by this.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """
        Args:
            output, target: (B, C, H, W).
            mask: (B, 1, H, W), or (B, C, H, W) with a mask a channel, in [0, 1], 0 where the error must not count.

        Returns:
            A float32 scalar, also under mixed precision: sums of 10^4 squares overflow in float16.
        """
        error = (output.float() - target.float()).square()
        if mask is not None:
            error = error * mask.float()
        return error.sum() * (0.5 * self.loss_weight / len(output))
