"""What the network is asked to predict: Gaussian confidence maps and part affinity fields.

Cao et al., "Realtime multi-person 2D pose estimation using part affinity fields", CVPR 2017, equations 6 to 9.

Symbols: N people, K keypoints, L limbs, (W, H) the size of the maps in cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .compiled import compiled
from .maps import pixels_to_cells

# Where the paper's Gaussian is taken as zero (4.8 sigma), and where the released code cuts it (its exponent 4.6052, 3
# sigma).
PAPER_FLOOR = 1e-5
RELEASED_FLOOR = 1e-2
# Keypoints farther away than this many cells, or nowhere at all, leave no trace and would overflow integers.
FAR = 1e6
# Cells on an edge are looked at even if the edge was computed a little short.
_ROUNDING = 1e-6


def gaussian_heatmaps(
    keypoints: np.ndarray,
    visible: np.ndarray,
    size: tuple[int, int],
    stride: float,
    sigma: float,
    released: bool = False,
) -> np.ndarray:
    """Confidence maps of all keypoints and, last, of the background, 1 - max over the keypoints.

    Args:
        keypoints: (N, K, 2) input pixels.
        visible: (N, K), > 0 where the keypoint is labelled.
        size: (W, H) of the maps.
        stride: input pixels a cell.
        sigma: of the Gaussian, in input pixels.
        released: as the authors' training code does it, instead of the paper: where Gaussians of one keypoint overlap
            their sum clipped at 1 instead of the maximum, and Gaussians cut at 1 % of their height.

    Returns:
        (K + 1, H, W) float32 in [0, 1].
    """
    width, height = size
    maps = np.zeros((keypoints.shape[1] + 1, height, width), dtype=np.float32)
    centers = pixels_to_cells(np.asarray(keypoints, dtype=np.float64), stride)
    floor = RELEASED_FLOOR if released else PAPER_FLOOR
    _draw_gaussians(maps, centers, _present(centers, visible), 0.5 * (stride / sigma) ** 2, -np.log(floor), released)
    maps[-1] = 1 - maps[:-1].max(axis=0, initial=0)
    return maps


def _present(cells: np.ndarray, visible: np.ndarray) -> np.ndarray:
    return (visible > 0) & (np.abs(cells) < FAR).all(axis=-1)


@compiled
def _draw_gaussians(maps, centers, present, sharpness, farthest, add):
    """exp(-sharpness * distance^2) on the cells where the exponent does not exceed ``farthest``."""
    people, keypoints = present.shape
    height, width = maps.shape[1:]
    reach = np.sqrt(farthest / sharpness)
    for person in range(people):
        for keypoint in range(keypoints):
            if not present[person, keypoint]:
                continue
            center_x, center_y = centers[person, keypoint]
            for row in _cells(center_y - reach, center_y + reach, height):
                squared_y = (row - center_y) ** 2
                chord = np.sqrt(max(reach**2 - squared_y, 0.0))
                for column in _cells(center_x - chord, center_x + chord, width):
                    exponent = ((column - center_x) ** 2 + squared_y) * sharpness
                    if exponent > farthest:
                        continue
                    value = np.exp(-exponent)
                    if add:
                        maps[keypoint, row, column] = min(maps[keypoint, row, column] + value, 1.0)
                    elif value > maps[keypoint, row, column]:
                        maps[keypoint, row, column] = value


@compiled
def _cells(low, high, size):
    """Those of 0 ... size - 1 that lie between low and high."""
    return range(int(np.ceil(max(low - _ROUNDING, 0))), int(np.floor(min(high + _ROUNDING, size - 1))) + 1)


def affinity_fields(
    keypoints: np.ndarray,
    visible: np.ndarray,
    limbs: Sequence[tuple[int, int]],
    size: tuple[int, int],
    stride: float,
    limb_width: float,
    released: bool = False,
) -> np.ndarray:
    """Fields that hold, on a limb, the unit vector along it, and zero elsewhere.

    A cell lies on a limb when its centre projects between the limb's ends and is no farther than ``limb_width`` from
    its axis. Where several people's limbs of one kind overlap, the field is the mean of their vectors. A limb of length
    zero leaves no trace.

    Args:
        keypoints: (N, K, 2) input pixels.
        visible: (N, K), > 0 where the keypoint is labelled.
        limbs: L pairs of keypoint indices.
        size: (W, H) of the maps.
        stride: input pixels a cell.
        limb_width: distance from the axis to the limb's edge, in input pixels.
        released: as the authors' training code does it, instead of the paper: the ends lie at keypoint / stride, half a
            cell away from where the heatmaps have them, a limb extends to the box around its ends widened by one cell,
            and a later person overwrites an earlier one.

    Returns:
        (2 L, H, W) float32, the x and the y component of a limb in turn.
    """
    width, height = size
    ends = np.asarray(limbs, dtype=np.int64).reshape(-1, 2)
    keypoints = np.asarray(keypoints, dtype=np.float64)
    joints = keypoints / stride if released else pixels_to_cells(keypoints, stride)
    fields = np.zeros((2 * len(ends), height, width), dtype=np.float32)
    draw = _draw_released_limbs if released else _draw_limbs
    draw(fields, joints, _present(joints, visible), ends, limb_width / stride)
    return fields


@compiled
def _draw_limbs(fields, joints, present, ends, reach):
    height, width = fields.shape[1:]
    overlap = np.empty((height, width), dtype=np.int64)
    for limb in range(len(ends)):
        overlap[:] = 0
        field_x, field_y = fields[2 * limb], fields[2 * limb + 1]
        for person in range(len(joints)):
            drawn, x, y, axis_x, axis_y, length = _limb(joints[person], present[person], ends[limb])
            if not drawn:
                continue
            top, bottom = min(y, y + axis_y * length), max(y, y + axis_y * length)
            for row in _cells(top - reach, bottom + reach, height):
                # Within a row both conditions, on the axis' length and near it, are intervals.
                away_y = row - y
                low, high = _interval(-axis_y, -reach - axis_x * away_y, reach - axis_x * away_y)
                first, last = _interval(axis_x, -axis_y * away_y, length - axis_y * away_y)
                for column in _cells(x + max(low, first), x + min(high, last), width):
                    away_x = column - x
                    along = axis_x * away_x + axis_y * away_y
                    if abs(axis_x * away_y - axis_y * away_x) <= reach and 0 <= along <= length:
                        overlap[row, column] += 1
                        field_x[row, column] += (axis_x - field_x[row, column]) / overlap[row, column]
                        field_y[row, column] += (axis_y - field_y[row, column]) / overlap[row, column]


@compiled
def _draw_released_limbs(fields, joints, present, ends, reach):
    height, width = fields.shape[1:]
    for limb in range(len(ends)):
        for person in range(len(joints)):
            drawn, x, y, axis_x, axis_y, length = _limb(joints[person], present[person], ends[limb])
            if not drawn:
                continue
            end_x, end_y = joints[person, ends[limb, 1]]
            for row in _cells(np.floor(min(y, end_y) - 0.5), np.floor(max(y, end_y) + 1.5) - 1, height):
                for column in _cells(np.floor(min(x, end_x) - 0.5), np.floor(max(x, end_x) + 1.5) - 1, width):
                    if abs(axis_x * (row - y) - axis_y * (column - x)) <= reach:
                        fields[2 * limb, row, column] = axis_x
                        fields[2 * limb + 1, row, column] = axis_y


@compiled
def _limb(joints, present, ends):
    """Whether it is there, its start, its direction and its length."""
    x, y = joints[ends[0]]
    along_x, along_y = joints[ends[1], 0] - x, joints[ends[1], 1] - y
    length = np.hypot(along_x, along_y)
    drawn = present[ends[0]] and present[ends[1]] and length > 0
    return drawn, x, y, along_x / length, along_y / length, length


@compiled
def _interval(slope, low, high):
    """Where low <= slope * x <= high; everywhere for a slope of 0, where x does not matter."""
    if slope == 0:
        return -np.inf, np.inf
    return min(low / slope, high / slope), max(low / slope, high / slope)
