"""Training targets: Gaussian confidence maps and part affinity fields.

Cao et al., "Realtime multi-person 2D pose estimation using part affinity fields", CVPR 2017, equations 6 to 9.

Symbols: N people, K keypoints, L limbs, (W, H) the size of the maps in cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .maps import count_up, pixels_to_cells

# Where the paper's Gaussian is taken as zero (4.8 sigma), and where the released code cuts it (its exponent 4.6052, 3
# sigma).
PAPER_FLOOR = 1e-5
RELEASED_FLOOR = 1e-2
# Keypoints farther away than this many cells, or nowhere at all, leave no trace and would overflow integers.
FAR = 1e6


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
        sigma: the standard deviation of the Gaussians, in input pixels.
        released: repeat the authors' training code, not the paper: overlapping Gaussians of one keypoint are summed and
            clipped at 1 (the paper takes the maximum), and Gaussians are cut at 1 % of their height.

    Returns:
        (K + 1, H, W) float32 in [0, 1].
    """
    width, height = size
    centers = pixels_to_cells(np.asarray(keypoints, dtype=np.float64), stride)
    present = _present(centers, visible)
    centers = np.where(present[..., None], centers, FAR)
    # A Gaussian is the product of one along x and one along y.
    along_x, along_y = (
        np.exp((-0.5 * (stride / sigma * (np.arange(count) - centers[..., axis, None])) ** 2).astype(np.float32))
        for axis, count in enumerate(size)
    )
    maps = np.zeros((keypoints.shape[1] + 1, height, width), dtype=np.float32)
    gaussians = np.empty_like(maps[:-1])
    for own_x, own_y in zip(along_x, along_y, strict=True):
        np.multiply(own_y[:, :, None], own_x[:, None, :], out=gaussians)
        if released:
            gaussians[gaussians < RELEASED_FLOOR] = 0
            np.minimum(maps[:-1] + gaussians, 1, out=maps[:-1])
        else:
            np.maximum(maps[:-1], gaussians, out=maps[:-1])
    maps[:-1][maps[:-1] < PAPER_FLOOR] = 0
    maps[-1] = 1 - maps[:-1].max(axis=0, initial=0)
    return maps


def _present(cells: np.ndarray, visible: np.ndarray) -> np.ndarray:
    return (visible > 0) & (np.abs(cells) < FAR).all(axis=-1)


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
        released: repeat the authors' training code, not the paper: the ends lie at keypoint / stride, half a cell away
            from the heatmaps' peaks, a limb extends to the box around its ends widened by one cell, and a later person
            overwrites an earlier one.

    Returns:
        (2 L, H, W) float32, the x and the y component of a limb in turn.
    """
    width, height = size
    ends = np.asarray(limbs, dtype=np.int64).reshape(-1, 2)
    keypoints = np.asarray(keypoints, dtype=np.float64)
    joints = keypoints / stride if released else pixels_to_cells(keypoints, stride)
    present = _present(joints, visible)
    # One after the other, person by person: M limbs.
    person, kind = np.nonzero(present[:, ends[:, 0]] & present[:, ends[:, 1]])
    start, end = joints[person, ends[kind, 0]], joints[person, ends[kind, 1]]
    length = np.hypot(*(end - start).T)
    drawn = length > 0
    kind, start, end, length = kind[drawn], start[drawn], end[drawn], length[drawn]
    axis, reach = (end - start) / length[:, None], limb_width / stride
    low, high = np.minimum(start, end), np.maximum(start, end)
    if released:
        low, high = np.floor(low - 0.5), np.floor(high + 1.5) - 1
    else:
        low, high = low - reach, high + reach

    limb, column, row = _cells(low, high, size)
    axis_x, axis_y = axis[limb].T
    away_x, away_y = column - start[limb, 0], row - start[limb, 1]
    inside = np.abs(axis_x * away_y - axis_y * away_x) <= reach
    if not released:
        along = axis_x * away_x + axis_y * away_y
        inside &= (along >= 0) & (along <= length[limb])
    limb, column, row = limb[inside], column[inside], row[inside]
    fields = np.zeros(2 * len(ends) * height * width, dtype=np.float32)
    places = (2 * kind[limb] * height + row) * width + column
    places = np.stack([places, places + height * width])
    vectors = axis[limb].T.astype(np.float32)
    if released:
        fields[places] = vectors  # of several the last stays
    else:
        np.add.at(fields, places.ravel(), (vectors / np.bincount(places[0])[places[0]]).astype(np.float32).ravel())
    return fields.reshape(-1, height, width)


def _cells(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index, column and row of all cells of the map in M boxes, from ``low`` (M, 2) to ``high``, box by box."""
    first = np.ceil(np.maximum(low, 0)).astype(np.int64)
    last = np.floor(np.minimum(high, np.array(size) - 1)).astype(np.int64)
    counts = np.maximum(last - first + 1, 0)
    areas = counts.prod(axis=1)
    box = np.repeat(np.arange(len(areas)), areas)
    row, column = np.divmod(count_up(areas), counts[box, 0])
    return box, first[box, 0] + column, first[box, 1] + row
