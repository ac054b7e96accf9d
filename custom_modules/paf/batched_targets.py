"""The targets of a whole batch in PyTorch, on any device: equal to those of :mod:`custom_modules.paf.targets`.

Symbols: B images, N people of the image that has most, K keypoints, L limbs, (W, H) the size of the maps in cells. All
is computed in float64: the narrower the type, the more cells near an edge of a limb a rounding moves across it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from .maps import pixels_to_cells
from .targets import FAR, PAPER_FLOOR, RELEASED_FLOOR


def batched_heatmaps(
    keypoints: torch.Tensor,
    visible: torch.Tensor,
    size: tuple[int, int],
    stride: float,
    sigma: float,
    released: bool = False,
) -> torch.Tensor:
    """Confidence maps (B, K + 1, H, W) float32, the background last; see :func:`gaussian_heatmaps`.

    Args:
        keypoints: (B, N, K, 2) input pixels.
        visible: (B, N, K), > 0 where a keypoint is labelled.
    """
    width, height = size
    batch, people, count = visible.shape
    centers = pixels_to_cells(keypoints.double(), stride)
    present = _present(centers, visible)
    sharpness, floor = 0.5 * (stride / sigma) ** 2, RELEASED_FLOOR if released else PAPER_FLOOR
    farthest = -torch.tensor(floor, dtype=torch.float64).log().item()
    columns, rows = (torch.arange(length, device=keypoints.device, dtype=torch.float64) for length in (width, height))
    maps = keypoints.new_zeros((batch, count, height, width), dtype=torch.float32)
    # One person of each image at a time: all at once would be gigabytes.
    for person in range(people):
        x, y = centers[:, person].unbind(dim=-1)
        exponent = sharpness * (
            (rows - y[..., None]).square()[..., :, None] + (columns - x[..., None]).square()[..., None, :]
        )
        drawn = (exponent <= farthest) & present[:, person, :, None, None]
        values = torch.where(drawn, torch.exp(-exponent), 0.0).float()
        maps = (maps + values).clamp(max=1.0) if released else torch.maximum(maps, values)
    highest = maps.amax(dim=1, keepdim=True) if count else maps.new_zeros((batch, 1, height, width))
    return torch.cat([maps, 1 - highest], dim=1)


def batched_fields(
    keypoints: torch.Tensor,
    visible: torch.Tensor,
    limbs: Sequence[tuple[int, int]],
    size: tuple[int, int],
    stride: float,
    limb_width: float,
    released: bool = False,
) -> torch.Tensor:
    """Affinity fields (B, 2 L, H, W) float32, x and y of a limb in turn; see :func:`affinity_fields`.

    Args:
        keypoints: (B, N, K, 2) input pixels.
        visible: (B, N, K), > 0 where a keypoint is labelled.
    """
    width, height = size
    batch, people, _ = visible.shape
    cells = keypoints.double() / stride if released else pixels_to_cells(keypoints.double(), stride)
    present = _present(cells, visible)
    starts, ends = _limb_ends(tuple(limbs), keypoints.device)
    reach = limb_width / stride
    columns = torch.arange(width, device=keypoints.device, dtype=torch.float64)
    rows = torch.arange(height, device=keypoints.device, dtype=torch.float64)[:, None]
    fields = keypoints.new_zeros((batch, len(starts), 2, height, width), dtype=torch.float64)
    overlap = keypoints.new_zeros((batch, len(starts), height, width), dtype=torch.float64)
    for person in range(people):
        start, end = cells[:, person, starts], cells[:, person, ends]
        forward = end - start
        length = torch.hypot(forward[..., 0], forward[..., 1])
        drawn = present[:, person, starts] & present[:, person, ends] & (length > 0)
        axis = torch.where(drawn[..., None], forward / length[..., None], 0.0)
        x, y, axis_x, axis_y = (values[..., None, None] for values in (*start.unbind(-1), *axis.unbind(-1)))
        away_x, away_y = columns - x, rows - y
        inside = drawn[..., None, None] & ((axis_x * away_y - axis_y * away_x).abs() <= reach)
        if released:
            low = torch.floor(torch.minimum(start, end) - 0.5)
            high = torch.floor(torch.maximum(start, end) + 1.5) - 1
            (left, top), (right, bottom) = (
                (edge[..., None, None] for edge in corner.unbind(-1)) for corner in (low, high)
            )
            inside &= (columns >= left) & (columns <= right) & (rows >= top) & (rows <= bottom)
        else:
            along = axis_x * away_x + axis_y * away_y
            inside &= (along >= 0) & (along <= length[..., None, None])
        vectors = axis[..., None, None]
        if released:
            fields = torch.where(inside[:, :, None], vectors, fields)
        else:
            overlap += inside
            fields += inside[:, :, None] * vectors
    if not released:
        fields /= overlap.clamp(min=1)[:, :, None]
    return fields.flatten(1, 2).float()


def annotated_channels(annotated: torch.Tensor, limbs: Sequence[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Which channels of the targets are true for an image whose dataset annotates only some keypoints.

    A limb counts where both its ends do, the background where all keypoints do: where nobody labels a keypoint, the
    background at it is not known either.

    Args:
        annotated: (..., K) bool, whether the image's dataset labels the keypoint at all.
        limbs: L pairs of keypoint indices.

    Returns:
        (..., K + 1) and (..., 2 L) bool, in the order of :func:`batched_heatmaps` and :func:`batched_fields`.
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


def _present(cells: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    return (visible > 0) & (cells.abs() < FAR).all(dim=-1)
