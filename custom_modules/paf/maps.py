"""The grid of the maps: where its cells lie in the picture, and how it mirrors."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ..skeletons import Skeleton

Maps = TypeVar('Maps')  # numpy.ndarray or torch.Tensor


def pixels_to_cells(points: np.ndarray, stride: float) -> np.ndarray:
    """Input pixels (..., 2) to cells of a map of that stride."""
    return (points + 0.5) / stride - 0.5


def cells_to_pixels(points: np.ndarray, stride: float) -> np.ndarray:
    """Cells (..., 2) of a map of that stride to input pixels."""
    return (points + 0.5) * stride - 0.5


def flip_maps(heatmaps: Maps, pafs: Maps, skeleton: Skeleton) -> tuple[Maps, Maps]:
    """What the maps of a picture become when the picture is mirrored left to right.

    Left and right parts and limbs change places, every map is mirrored, and the x components of the fields change sign.

    Args:
        heatmaps: (..., K + 1, H, W), background last; NumPy array or torch tensor.
        pafs: (..., 2 L, H, W), x and y of a limb in turn.
    """
    parts = [*skeleton.flip_indices, len(skeleton.keypoints)]
    signs = np.repeat(np.asarray(skeleton.limb_flip_signs, dtype=np.float32), 2)
    signs[::2] *= -1
    channels = [2 * limb + axis for limb in skeleton.limb_flip_indices for axis in (0, 1)]
    signs = signs[:, None, None]
    if not isinstance(pafs, np.ndarray):
        signs = pafs.new_tensor(signs)
    return _mirror(heatmaps[..., parts, :, :]), _mirror(pafs[..., channels, :, :]) * signs


def _mirror(maps: Maps) -> Maps:
    return maps[..., ::-1] if isinstance(maps, np.ndarray) else maps.flip(-1)
