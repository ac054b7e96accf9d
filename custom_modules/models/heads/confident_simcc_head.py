from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmpose.registry import MODELS

from .batch_heads import BatchRTMCCHead


@MODELS.register_module()
class ConfidentRTMCCHead(BatchRTMCCHead):
    """MMPose's RTMCCHead whose scores measure how certain the predicted place is.

    SimCC's logits give the probability of every bin along x and y. MMPose's decoder takes their highest value for the
    score. That value means little, because all logits can rise and fall together, and the bins beside the most probable
    one may have little probability. In prediction this head outputs, for every bin, the expected similarity of the
    keypoint to a keypoint there: the mean of a Gaussian as wide as the target's. The decoder takes the highest. It is 1
    if the network is as certain as its target, and near 0 if the keypoint may be anywhere.
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
