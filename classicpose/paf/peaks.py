"""Where the keypoints are: local maxima of the heatmaps, to a fraction of a cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled

# Below this share of its peak a neighbour's value is noise: the logarithm must not see it.
LOG_FLOOR = 1e-2
SUBPIXEL = ('none', 'parabola', 'centroid')


class Peaks(NamedTuple):
    """M candidates of keypoints, those of one keypoint together, in the order of the keypoints.

    keypoint: (M,) index of the keypoint. xy: (M, 2) position in cells. score: (M,) height of the heatmap.
    """

    keypoint: np.ndarray
    xy: np.ndarray
    score: np.ndarray


def find_peaks(
    heatmaps: np.ndarray,
    threshold: float,
    neighbours: int = 8,
    subpixel: str = 'parabola',
    min_distance: float = 0.0,
    max_peaks: int = 127,
) -> Peaks:
    """Local maxima of each heatmap.

    Args:
        heatmaps: (K, H, W), without the background. NaN is never a peak.
        threshold: a peak is higher than this.
        neighbours: 4 or 8, the cells it must not be lower than. Of equal neighbours the first in reading order
            is the peak.
        subpixel: 'none'; 'parabola' through the logarithms of the peak and its two neighbours along x and along y,
            exact for a Gaussian; 'centroid' of the 7 x 7 cells around.
        min_distance: of two peaks of one keypoint closer than this many cells only the higher is kept.
        max_peaks: only so many of a keypoint are kept, the highest: an untrained network has thousands.
            127 is C++ OpenPose's limit.
    """
    heatmaps = np.ascontiguousarray(heatmaps, dtype=np.float32)
    keypoint, row, column = _local_maxima(heatmaps, np.float32(threshold), neighbours == 8)
    if len(keypoint) > max_peaks:
        kept = _highest(keypoint, heatmaps[keypoint, row, column], max_peaks)
        keypoint, row, column = keypoint[kept], row[kept], column[kept]
    xy = np.stack([column, row], axis=1).astype(np.float64)
    if subpixel == 'parabola':
        _add_parabola_offsets(heatmaps, keypoint, row, column, xy)
    elif subpixel == 'centroid':
        _add_centroid_offsets(heatmaps, keypoint, row, column, xy)
    peaks = Peaks(keypoint, xy, heatmaps[keypoint, row, column].astype(np.float64))
    return _drop_close(peaks, min_distance) if min_distance > 0 else peaks


@compiled
def _local_maxima(heatmaps: np.ndarray, threshold: float, diagonal: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count, height, width = heatmaps.shape
    # At most every second cell of a row is a peak.
    found = np.empty((count * height * ((width + 1) // 2), 3), dtype=np.int64)
    total = 0
    for keypoint in range(count):
        for row in range(height):
            for column in range(width):
                value = heatmaps[keypoint, row, column]
                if not value > threshold:
                    continue
                is_peak = True
                for down in range(-1, 2):
                    for right in range(-1, 2):
                        y, x = row + down, column + right
                        if (down == 0 and right == 0) or y < 0 or x < 0 or y >= height or x >= width:
                            continue
                        if not diagonal and down != 0 and right != 0:
                            continue
                        other = heatmaps[keypoint, y, x]
                        first = down < 0 or (down == 0 and right < 0)
                        is_peak &= value > other if first else value >= other
                if is_peak:
                    found[total, 0], found[total, 1], found[total, 2] = keypoint, row, column
                    total += 1
    return found[:total, 0].copy(), found[:total, 1].copy(), found[:total, 2].copy()


@compiled
def _add_parabola_offsets(
    heatmaps: np.ndarray, keypoint: np.ndarray, row: np.ndarray, column: np.ndarray, xy: np.ndarray
) -> None:
    """At most half a cell; none along an axis on which the peak lies at the border."""
    height, width = heatmaps.shape[1:]
    for index in range(len(keypoint)):
        plane, y, x = heatmaps[keypoint[index]], row[index], column[index]
        center = plane[y, x]
        if 0 < x < width - 1:
            xy[index, 0] += _parabola(plane[y, x - 1] / center, plane[y, x + 1] / center)
        if 0 < y < height - 1:
            xy[index, 1] += _parabola(plane[y - 1, x] / center, plane[y + 1, x] / center)


@compiled
def _parabola(before: float, after: float) -> float:
    """Where the parabola through (-1, log before), (0, 0) and (1, log after) is highest."""
    before, after = np.log(max(before, LOG_FLOOR)), np.log(max(after, LOG_FLOOR))
    curvature = before + after
    if not curvature < 0:
        return 0.0
    return min(max(0.5 * (before - after) / curvature, -0.5), 0.5)


@compiled
def _add_centroid_offsets(
    heatmaps: np.ndarray, keypoint: np.ndarray, row: np.ndarray, column: np.ndarray, xy: np.ndarray
) -> None:
    """To the centre of mass of the 7 x 7 cells around each peak, as C++ OpenPose refines it."""
    height, width = heatmaps.shape[1:]
    for index in range(len(keypoint)):
        mass = moment_x = moment_y = 0.0
        for y in range(max(row[index] - 3, 0), min(row[index] + 4, height)):
            for x in range(max(column[index] - 3, 0), min(column[index] + 4, width)):
                value = max(heatmaps[keypoint[index], y, x], 0.0)
                mass += value
                moment_x += value * (x - column[index])
                moment_y += value * (y - row[index])
        xy[index, 0] += moment_x / mass
        xy[index, 1] += moment_y / mass


def _highest(keypoint: np.ndarray, score: np.ndarray, count: int) -> np.ndarray:
    """The indices, in order, of the ``count`` highest peaks of each keypoint."""
    order = np.lexsort((-score, keypoint))
    rank = np.arange(len(order)) - np.searchsorted(
        keypoint, keypoint
    )  # keypoints are in order, so sorting keeps where they begin
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
    return Peaks(*(values[kept] for values in peaks))
