from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmpose.registry import MODELS

from .batch_heads import BatchRTMCCHead


@MODELS.register_module()
class ConfidentRTMCCHead(BatchRTMCCHead):
    """MMPose's RTMCCHead whose scores say how sure it is.

    Trained with a plain Kullback-Leibler divergence, the logits of SimCC are free to rise and fall together, and their
    highest value, which MMPose's decoder takes for the score, means little. Here prediction puts out probabilities, in
    units of the target's peak: 1 where a keypoint's place is as sure as in training, near 0 where it may be anywhere.
    """

    def forward(self, feats: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (B, C, h, w) to x (B, K, W) and y (B, K, H): logits in training, else shares of a sure one's peak."""
        outputs = super().forward(feats)
        if self.training:
            return outputs
        return tuple(
            output.float().softmax(dim=-1) * float(sigma * math.sqrt(2 * math.pi))
            for output, sigma in zip(outputs, self.decoder.sigma, strict=True)
        )
