"""Where the keypoints are: local maxima of the heatmaps, to a fraction of a cell."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .settings import DecodeSettings

# Below this share of its peak a neighbour's value is noise: the logarithm must not see it.
LOG_FLOOR = 1e-2


class Peaks(NamedTuple):
    """M candidates of keypoints, those of one keypoint together, in the order of the keypoints.

    keypoint: (M,) index of the keypoint. xy: (M, 2) position in cells. score: (M,) height of the heatmap.
    """

    keypoint: np.ndarray
    xy: np.ndarray
    score: np.ndarray

    def take(self, index: np.ndarray) -> Peaks:
        """Those that a mask or an array of indices selects."""
        return Peaks(*(values[index] for values in self))


def find_peaks(heatmaps: np.ndarray, stride: float, settings: DecodeSettings) -> Peaks:
    """Local maxima of each heatmap. Of equal neighbours the first in reading order is the peak.

    Args:
        heatmaps: (K, H, W) float32, without the background. NaN is never a peak.
        stride: input pixels a cell.
        settings: what counts as a peak, from :attr:`DecodeSettings.lowest_peak` on, and how it is refined.
    """
    searched = _smooth(heatmaps, settings.smoothing / stride) if settings.smoothing else heatmaps
    keypoint, row, column = _local_maxima(searched, settings.lowest_peak, settings.neighbours)
    if len(keypoint) > settings.max_peaks:
        kept = _highest(keypoint, searched[keypoint, row, column], settings.max_peaks)
        keypoint, row, column = keypoint[kept], row[kept], column[kept]
    xy = np.stack([column, row], axis=1).astype(np.float64)
    if settings.subpixel == 'parabola':
        xy += _parabola_offsets(searched, keypoint, row, column)
    elif settings.subpixel == 'centroid':
        xy += _centroid_offsets(searched, keypoint, row, column)
    peaks = Peaks(keypoint, xy, heatmaps[keypoint, row, column].astype(np.float64))
    return _drop_close(peaks, settings.peak_distance / stride) if settings.peak_distance else peaks


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(map_, (0, 0), sigma) for map_ in maps])


def _local_maxima(heatmaps: np.ndarray, threshold: float, neighbours: int) -> tuple[np.ndarray, ...]:
    """Keypoint, row and column of each."""
    count, height, width = heatmaps.shape
    bordered = np.full((count, height + 2, width + 2), -np.inf, dtype=np.float32)
    bordered[:, 1:-1, 1:-1] = heatmaps
    # As one line of cells every neighbour has one distance, and all comparisons are of neighbouring memory.
    line, below = bordered.ravel(), width + 2
    cells = slice(below + 1, len(line) - below - 1)
    is_peak = line[cells] > np.float32(threshold)
    for distance in (1, below) if neighbours == 4 else (1, below - 1, below, below + 1):
        is_peak &= line[cells] > line[cells.start - distance : cells.stop - distance]
        is_peak &= line[cells] >= line[cells.start + distance : cells.stop + distance]
    keypoint, row, column = np.unravel_index(np.flatnonzero(is_peak) + cells.start, bordered.shape)
    return keypoint, row - 1, column - 1


def _parabola_offsets(heatmaps: np.ndarray, keypoint: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M, 2), at most half a cell; none along an axis on which the peak lies at the border.

    Where the parabola through (-1, log before), (0, log peak) and (1, log after) is highest.
    """
    height, width = heatmaps.shape[1:]
    offsets = np.zeros((len(keypoint), 2))
    for axis, (place, size) in enumerate([(column, width), (row, height)]):
        inside = np.flatnonzero((place > 0) & (place < size - 1))
        keypoints, rows, columns = keypoint[inside], row[inside], column[inside]
        right, down = (1, 0) if axis == 0 else (0, 1)
        around = np.stack([heatmaps[keypoints, rows + side * down, columns + side * right] for side in (-1, 1)])
        logs = np.log(np.maximum(around / heatmaps[keypoints, rows, columns], LOG_FLOOR))
        curvature = logs.sum(axis=0)
        with np.errstate(invalid='ignore', divide='ignore'):
            top = np.where(curvature < 0, 0.5 * (logs[0] - logs[1]) / curvature, 0)
        offsets[inside, axis] = top.clip(-0.5, 0.5)
    return offsets


def _centroid_offsets(heatmaps: np.ndarray, keypoint: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M, 2), to the centre of mass of the 7 x 7 cells around each peak, as C++ OpenPose refines it."""
    reach = np.arange(-3, 4)
    bordered = np.pad(heatmaps, ((0, 0), (3, 3), (3, 3)))
    rows, columns = row[:, None, None] + 3 + reach[:, None], column[:, None, None] + 3 + reach
    mass = np.maximum(bordered[keypoint[:, None, None], rows, columns], 0, dtype=np.float64)
    moments = (mass * reach).sum(axis=(1, 2)), (mass * reach[:, None]).sum(axis=(1, 2))
    return np.stack(moments, axis=1) / mass.sum(axis=(1, 2))[:, None]


def _highest(keypoint: np.ndarray, score: np.ndarray, count: int) -> np.ndarray:
    """The indices, in order, of the ``count`` highest peaks of each keypoint."""
    order = np.lexsort((-score, keypoint))
    rank = np.arange(len(order)) - np.searchsorted(keypoint, keypoint)
    return np.sort(order[rank < count])


def _drop_close(peaks: Peaks, min_distance: float) -> Peaks:
    order = np.argsort(-peaks.score, kind='stable')
    kept = np.ones(len(order), dtype=bool)
    for rank, index in enumerate(order):
        if kept[index]:
            later = order[rank + 1 :]
            later = later[peaks.keypoint[later] == peaks.keypoint[index]]
            distance = np.linalg.norm(peaks.xy[later] - peaks.xy[index], axis=1)
            kept[later[distance < min_distance]] = False
    return peaks.take(kept)
