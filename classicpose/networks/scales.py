"""Inputs and maps at other sizes, as :class:`custom_modules.models.OpenPoseEstimator` makes them with PyTorch.

Both ways are a matrix along each axis.

Symbols: B batch, C channels, H and W the size before.
"""

from __future__ import annotations

import numpy as np

# Of the cubic convolution, as PyTorch's.
_CUBIC = -0.75


def scaled_inputs(inputs: np.ndarray, scale: float, stride: int) -> np.ndarray:
    """(B, C, H, W) at another size, antialiased, padded with 0 at the right and below to multiples of the stride."""
    if scale == 1:
        return inputs
    rows, columns = (_antialiased(size, scale) for size in inputs.shape[2:])
    small = rows @ inputs @ columns.T
    below, right = (-size % stride for size in small.shape[2:])
    return np.pad(small, ((0, 0), (0, 0), (0, below), (0, right)))


def unscaled_maps(maps: np.ndarray, scale: float, grid: tuple[int, int]) -> np.ndarray:
    """Maps (B, C, h, w) of a scaled image on the (H, W) grid of the unscaled one.

    Cell g of the grid is at (g + 0.5) * scale - 0.5 in the maps.
    """
    if scale == 1:
        return maps
    rows, columns = (_cubic(own, scale, size) for own, size in zip(maps.shape[2:], grid, strict=True))
    return rows @ maps @ columns.T


def _antialiased(size: int, scale: float) -> np.ndarray:
    """(floor(size * scale), size) weights of linear interpolation.

    Their triangle is as wide as a new pixel if that is wider than an old one.
    """
    support = max(1 / scale, 1.0)
    centers = (np.arange(int(size * scale)) + 0.5) / scale
    distance = np.abs(np.arange(size) + 0.5 - centers[:, None]) / support
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _cubic(size: int, scale: float, count: int) -> np.ndarray:
    """(count, size) weights of bicubic interpolation, the border's values continued."""
    places = (np.arange(count) + 0.5) * scale - 0.5
    first = np.floor(places).astype(int)
    weights = np.zeros((count, size))
    for offset in range(-1, 3):
        index = np.clip(first + offset, 0, size - 1)
        np.add.at(weights, (np.arange(count), index), _cubic_weight(np.abs(places - first - offset)))
    return weights.astype(np.float32)


def _cubic_weight(distance: np.ndarray) -> np.ndarray:
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return np.where(distance <= 1, near, far)
