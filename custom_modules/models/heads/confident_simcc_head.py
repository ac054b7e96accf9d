from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmpose.registry import MODELS

from .batch_heads import BatchRTMCCHead


@MODELS.register_module()
class ConfidentRTMCCHead(BatchRTMCCHead):
    """MMPose's RTMCCHead that predicts the place which is right most probably, and scores that say how sure it is.

    SimCC's logits give the probability of every bin along x and y. Their highest value, which MMPose's decoder takes
    for the score, means little, as they are free to rise and fall together; and the most probable bin need not have
    much beside it. In prediction this head puts out, for every bin, how similar the keypoint is expected to be to one
    there: the mean of a Gaussian as wide as the target's. The decoder takes the highest. It is 1 where the network is
    as sure as its target, near 0 where the keypoint may be anywhere.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        for axis, side, sigma in zip('xy', self.input_size, self.decoder.sigma, strict=True):
            bins = torch.arange(round(side * self.simcc_split_ratio), dtype=torch.float32)
            similarity = math.sqrt(2) * torch.exp(-((bins[:, None] - bins) ** 2) / (2 * float(sigma) ** 2))
            self.register_buffer(f'_similarity_{axis}', similarity, persistent=False)

    def forward(self, feats: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (B, C, h, w) to x (B, K, W) and y (B, K, H): logits in training, else expected similarities."""
        along_x, along_y = super().forward(feats)
        if self.training:
            return along_x, along_y
        return (
            along_x.float().softmax(dim=-1) @ self._similarity_x,
            along_y.float().softmax(dim=-1) @ self._similarity_y,
        )
