"""Where the parts are: local maxima of the heatmaps, to a fraction of a cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Below this share of its peak a neighbour's value is noise: the logarithm must not see it.
_LOG_FLOOR = 1e-2


class Peaks(NamedTuple):
    """M candidates of parts, those of one part together, in the order of the parts.

    part: (M,) index of the part. xy: (M, 2) position in cells. score: (M,) height of the heatmap.
    """

    part: np.ndarray
    xy: np.ndarray
    score: np.ndarray


def find_peaks(
    heatmaps: np.ndarray,
    threshold: float,
    neighbours: int = 8,
    subpixel: str = 'parabola',
    min_distance: float = 0.0,
) -> Peaks:
    """Local maxima of each heatmap.

    Args:
        heatmaps: (K, H, W), without the background. NaN is never a peak.
        threshold: a peak is higher than this.
        neighbours: 4 or 8, the cells it must not be lower than. Of equal neighbours the first in reading order is the
            peak.
        subpixel: 'none'; 'parabola' through the logarithms of the peak and its two neighbours along x and along y,
            exact for a Gaussian; 'centroid' of the 7 x 7 cells around.
        min_distance: of two peaks of one part closer than this many cells only the higher is kept.
    """
    part, row, column = _local_maxima(heatmaps, threshold, neighbours)
    score = heatmaps[part, row, column].astype(np.float64)
    xy = np.stack([column, row], axis=1).astype(np.float64)
    if len(part) and subpixel == 'parabola':
        xy += _parabola_offsets(heatmaps, part, row, column)
    elif len(part) and subpixel == 'centroid':
        xy += _centroid_offsets(heatmaps, part, row, column)
    peaks = Peaks(part, xy, score)
    return _drop_close(peaks, min_distance) if min_distance > 0 else peaks


def _local_maxima(heatmaps: np.ndarray, threshold: float, neighbours: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    height, width = heatmaps.shape[1:]
    is_peak = heatmaps > threshold
    steps = [(-1, 0), (0, -1), (0, 1), (1, 0)]
    if neighbours == 8:
        steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    for down, right in steps:
        other = padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        is_peak &= heatmaps > other if (down, right) < (0, 0) else heatmaps >= other
    return np.nonzero(is_peak)


def _parabola_offsets(heatmaps: np.ndarray, part: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M, 2) offsets in cells, at most half a cell; zero along an axis on which the peak lies at the border."""
    height, width = heatmaps.shape[1:]
    center = heatmaps[part, row, column]
    offsets = np.zeros((len(part), 2))
    for axis, (down, right, inside) in enumerate(
        [(0, 1, (column > 0) & (column < width - 1)), (1, 0, (row > 0) & (row < height - 1))]
    ):
        where = part[inside], row[inside], column[inside]
        before = heatmaps[where[0], where[1] - down, where[2] - right]
        after = heatmaps[where[0], where[1] + down, where[2] + right]
        before, after = (np.log(np.maximum(side / center[inside], _LOG_FLOOR)) for side in (before, after))
        curvature = before + after
        bent = curvature < 0
        offsets[inside, axis] = np.where(bent, 0.5 * (before - after) / np.where(bent, curvature, 1), 0)
    return offsets.clip(-0.5, 0.5)


def _centroid_offsets(heatmaps: np.ndarray, part: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M, 2) offsets in cells of the centre of mass of the 7 x 7 cells around each peak, as C++ OpenPose refines it."""
    steps = np.arange(-3, 4)
    padded = np.pad(np.maximum(heatmaps, 0), ((0, 0), (3, 3), (3, 3)))
    windows = padded[part[:, None, None], row[:, None, None] + 3 + steps[:, None], column[:, None, None] + 3 + steps]
    mass = windows.sum(axis=(1, 2))
    return np.stack(
        [(windows.sum(axis=1) * steps).sum(axis=1) / mass, (windows.sum(axis=2) * steps).sum(axis=1) / mass], axis=1
    )


def _drop_close(peaks: Peaks, min_distance: float) -> Peaks:
    order = np.argsort(-peaks.score, kind='stable')
    kept = np.ones(len(order), dtype=bool)
    for rank, index in enumerate(order):
        if kept[index]:
            later = order[rank + 1 :]
            later = later[peaks.part[later] == peaks.part[index]]
            distance = np.linalg.norm(peaks.xy[later] - peaks.xy[index], axis=1)
            kept[later[distance < min_distance]] = False
    return Peaks(*(values[kept] for values in peaks))
