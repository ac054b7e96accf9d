"""What the network is asked to predict: Gaussian confidence maps and part affinity fields.

Cao et al., "Realtime multi-person 2D pose estimation using part affinity fields", CVPR 2017, equations 6 to 9.

Symbols: N people, K keypoints, L limbs, (W, H) the size of the maps in cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .maps import pixels_to_cells

# Where the paper's Gaussian is taken as zero (4.8 sigma), and where the released code cuts it (its exponent 4.6052, 3
# sigma).
_PAPER_FLOOR = 1e-5
_RELEASED_FLOOR = 1e-2
# Parts farther away than this many cells, or nowhere at all, leave no trace and would overflow integers.
_FAR = 1e6


def gaussian_heatmaps(
    keypoints: np.ndarray,
    visible: np.ndarray,
    size: tuple[int, int],
    stride: float,
    sigma: float,
    released: bool = False,
) -> np.ndarray:
    """Confidence maps of all parts and, last, of the background, 1 - max over the parts.

    Args:
        keypoints: (N, K, 2) input pixels.
        visible: (N, K), > 0 where the part is labelled.
        size: (W, H) of the maps.
        stride: input pixels a cell.
        sigma: of the Gaussian, in input pixels.
        released: as the authors' training code does it, instead of the paper: where Gaussians of one part overlap their
            sum clipped at 1 instead of the maximum, and Gaussians cut at 1 % of their height.

    Returns:
        (K + 1, H, W) float32 in [0, 1].
    """
    width, height = size
    count = keypoints.shape[1]
    maps = np.zeros((count + 1, height, width), dtype=np.float32)
    person, part = np.nonzero(visible > 0)
    centers = pixels_to_cells(keypoints[person, part].astype(np.float64), stride)
    floor = _RELEASED_FLOOR if released else _PAPER_FLOOR
    reach = np.sqrt(-2 * np.log(floor)) * sigma / stride
    near = (np.abs(centers) < _FAR).all(axis=1)
    part, centers = part[near], centers[near]

    # Of each Gaussian only the window of cells within its reach is computed, all of them at once.
    offsets = np.arange(2 * int(np.ceil(reach)) + 1)
    columns = np.ceil(centers[:, :1] - reach).astype(int) + offsets
    rows = np.ceil(centers[:, 1:] - reach).astype(int) + offsets
    squared_x = (columns - centers[:, :1]) ** 2
    squared_y = (rows - centers[:, 1:]) ** 2
    exponent = (squared_y[:, :, None] + squared_x[:, None, :]) * (0.5 * (stride / sigma) ** 2)
    touched = exponent <= -np.log(floor)
    touched &= ((rows >= 0) & (rows < height))[:, :, None]
    touched &= ((columns >= 0) & (columns < width))[:, None, :]
    cells = (part[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    values = np.exp(-exponent[touched]).astype(np.float32)
    combine = np.add if released else np.maximum
    combine.at(maps.reshape(-1), cells[touched], values)

    np.minimum(maps, 1, out=maps)
    maps[-1] = 1 - maps[:-1].max(axis=0, initial=0)
    return maps


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
        visible: (N, K), > 0 where the part is labelled.
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
    ends = np.asarray(limbs, dtype=int).reshape(-1, 2)
    person, limb = np.nonzero((visible[:, ends] > 0).all(axis=2))
    joints = keypoints[person[:, None], ends[limb]].astype(np.float64)
    joints = joints / stride if released else pixels_to_cells(joints, stride)
    near = (np.abs(joints) < _FAR).all(axis=(1, 2))
    limb, joints = limb[near], joints[near]
    axis = joints[:, 1] - joints[:, 0]
    length = np.hypot(axis[:, 0], axis[:, 1])
    drawn = length > 0
    limb, joints, axis, length = limb[drawn], joints[drawn], axis[drawn], length[drawn]
    axis = axis / length[:, None]

    reach = limb_width / stride
    if released:
        first = np.floor(joints.min(axis=1) - 0.5)
        last = np.floor(joints.max(axis=1) + 1.5) - 1
    else:
        first = np.ceil(joints.min(axis=1) - reach)
        last = np.floor(joints.max(axis=1) + reach)
    first = np.maximum(first, 0).astype(int)
    last = np.minimum(last, (width - 1, height - 1)).astype(int)
    which, columns, rows = _cells_of_boxes(first, last)

    away_x = columns - joints[which, 0, 0]
    away_y = rows - joints[which, 0, 1]
    axis_x, axis_y = axis[which].T
    on_limb = np.abs(axis_x * away_y - axis_y * away_x) <= reach
    if not released:
        along = axis_x * away_x + axis_y * away_y
        on_limb &= (along >= 0) & (along <= length[which])
    cells = ((limb[which] * height + rows) * width + columns)[on_limb]
    axis_x, axis_y = axis_x[on_limb], axis_y[on_limb]

    fields = np.zeros((len(ends), 2, height * width), dtype=np.float32)
    channel, cell = np.divmod(cells, height * width)
    if released:
        fields[channel, 0, cell] = axis_x
        fields[channel, 1, cell] = axis_y
    else:
        total = len(ends) * height * width
        overlap = np.maximum(np.bincount(cells, minlength=total), 1)
        fields[:, 0] = (np.bincount(cells, axis_x, total) / overlap).reshape(len(ends), -1)
        fields[:, 1] = (np.bincount(cells, axis_y, total) / overlap).reshape(len(ends), -1)
    return fields.reshape(2 * len(ends), height, width)


def _cells_of_boxes(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every cell of B boxes, one after the other: the box's index, the cell's column and its row.

    Args:
        first, last: (B, 2) integer corners (x, y), both inclusive; a box with last < first is empty.
    """
    extent = np.maximum(last - first + 1, 0)
    areas = extent.prod(axis=1)
    which = np.repeat(np.arange(len(areas)), areas)
    index = np.arange(len(which)) - np.repeat(np.cumsum(areas) - areas, areas)
    row, column = np.divmod(index, extent[which, 0])
    return which, column + first[which, 0], row + first[which, 1]
