from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

# A GPU's matrix units take half-precision channels by so many; other numbers fall back to kernels that are slow.
_ALIGNMENT = 8


class AlignedConv2d(nn.Conv2d):
    """A convolution which on a GPU sees its input filled up with channels of zeros, to a multiple of eight.

    Stages of affinity fields see 185 channels and the like. The result is the same, and so are the weights.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        missing = -self.in_channels % _ALIGNMENT
        if not missing or not inputs.is_cuda:
            return super().forward(inputs)
        return self._on_aligned_channels(inputs, missing)

    def _on_aligned_channels(self, inputs: torch.Tensor, missing: int) -> torch.Tensor:
        filling = (0, 0, 0, 0, 0, missing)
        return self._conv_forward(F.pad(inputs, filling), F.pad(self.weight, filling), self.bias)
