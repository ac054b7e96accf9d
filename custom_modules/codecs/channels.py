"""Which channels of the targets are known where a dataset labels only some keypoints."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch


def annotated_channels(annotated: torch.Tensor, limbs: Sequence[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Which channels of the targets are true for an image whose dataset annotates only some keypoints.

    A limb counts where both its ends do, the background where all keypoints do: where nobody labels a keypoint, the
    background at it is not known either.

    Args:
        annotated: (..., K) bool, whether the image's dataset labels the keypoint at all.
        limbs: L pairs of keypoint indices.

    Returns:
        (..., K + 1) and (..., 2 L) bool, in the order of the heatmaps and of the affinity fields.
    """
    starts, ends = _limb_ends(tuple(limbs), annotated.device)
    background = annotated.all(dim=-1, keepdim=True)
    fields = annotated[..., starts] & annotated[..., ends]
    return torch.cat([annotated, background], dim=-1), fields.repeat_interleave(2, dim=-1)


@functools.lru_cache
def _limb_ends(limbs: tuple[tuple[int, int], ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (L,) of the keypoints where limbs start and end. Kept, since a copy to a GPU waits for it."""
    starts, ends = torch.as_tensor(limbs, dtype=torch.int64, device=device).reshape(-1, 2).T
    return starts, ends
