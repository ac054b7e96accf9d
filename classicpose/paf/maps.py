"""The grid of the maps: where its cells lie in the image, and how it mirrors."""

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


def count_up(lengths: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... anew for each of the lengths."""
    return np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)


def flip_maps(heatmaps: Maps, pafs: Maps, skeleton: Skeleton) -> tuple[Maps, Maps]:
    """What the maps of an image become when the image is mirrored left to right.

    Left and right keypoints and limbs change places, every map is mirrored, and the x components of the
    fields change sign.

    Args:
        heatmaps: (..., K + 1, H, W), background last; NumPy array or torch tensor.
        pafs: (..., 2 L, H, W), x and y of a limb in turn.
    """
    keypoints = [*skeleton.flip_indices, len(skeleton.keypoints)]
    signs = np.repeat(np.asarray(skeleton.limb_flip_signs, dtype=np.float32), 2)
    signs[::2] *= -1
    channels = [2 * limb + axis for limb in skeleton.limb_flip_indices for axis in (0, 1)]
    signs = signs[:, None, None]
    if not isinstance(pafs, np.ndarray):
        signs = pafs.new_tensor(signs)
    return _mirror(heatmaps[..., keypoints, :, :]), _mirror(pafs[..., channels, :, :]) * signs


def _mirror(maps: Maps) -> Maps:
    return maps[..., ::-1] if isinstance(maps, np.ndarray) else maps.flip(-1)


def image_to_map_matrix(
    input_size: tuple[float, float],
    input_scale: tuple[float, float],
    input_center: tuple[float, float],
    map_size: tuple[int, int],
) -> np.ndarray:
    """The affine map from an image's pixels to the cells of the network's maps.

    The network's input is a window of the image, in MMPose's words ``x_image = x_input / input_size * input_scale +
    input_center - 0.5 * input_scale``, and the centre of cell g of its maps lies at input pixel ``stride * g + stride /
    2 - 0.5``. The stride is a whole number; where it does not divide the input's size, the last cells reach beyond it.

    Args:
        input_size: (w, h) of the network's input.
        input_scale: (w, h) of the window, in image pixels.
        input_center: (x, y) of its centre, in image pixels.
        map_size: (w, h) of the maps.

    Returns:
        (2, 3) matrix M: a pixel (x, y) lies at the cell coordinates ``M @ (x, y, 1)``.
    """
    input_size, scale, center, map_size = (
        np.asarray(pair, dtype=np.float64) for pair in (input_size, input_scale, input_center, map_size)
    )
    stride = np.ceil((input_size / map_size).max())
    zoom = input_size / scale / stride
    offset = (0.5 * scale - center) * zoom - (0.5 - 0.5 / stride)
    return np.column_stack([np.diag(zoom), offset])
