"""Which keypoints belong together.

Line integrals through the affinity fields, and a one-to-one choice for every limb.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .maps import count_up
from .peaks import Peaks
from .settings import DecodeSettings

# C++ OpenPose's number of samples on a line: the square root of this times its extent in input pixels, within limits.
_SAMPLES_PER_PIXEL = 5
_MIN_SAMPLES, _MAX_SAMPLES = 5, 25
# So many samples are looked at in one go: they stay in the processor's cache, and a network that sees peaks everywhere
# takes no more memory than others.
_BLOCK = 16384


class Connections(NamedTuple):
    """C limbs found: limb (C,) its kind, start and end (C,) indices into the peaks, score (C,)."""

    limb: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray

    def take(self, index: np.ndarray) -> Connections:
        """Those that a mask or an array of indices selects."""
        return Connections(*(values[index] for values in self))


class Candidates(NamedTuple):
    """What the fields say about pairs of peaks that a limb could join.

    limbs: the pairs that may become limbs. middle: (T,) for all pairs, limb by limb, start by start, end by end, the
    part of the field in the middle between them that points from start to end.
    """

    limbs: Connections
    middle: np.ndarray


class _Lines(NamedTuple):
    """C lines in cells: limb (C,), start and along (C, 2), from it to the end, length (C,)."""

    limb: np.ndarray
    start: np.ndarray
    along: np.ndarray
    length: np.ndarray

    def take(self, index: np.ndarray | slice) -> _Lines:
        return _Lines(*(values[index] for values in self))


def score_limbs(
    pafs: np.ndarray, peaks: Peaks, limbs: Sequence[tuple[int, int]], stride: float, settings: DecodeSettings
) -> Candidates:
    """Look along the line between all pairs of peaks that a limb could join.

    Args:
        pafs: (2 L, H, W) float32.
        peaks: the keypoints' candidates; only those above the settings' ``peak_threshold`` become limbs' ends.
        limbs: L pairs of keypoint indices.
        stride: input pixels a cell.
        settings: of the samples and the score.
    """
    pafs = np.ascontiguousarray(pafs, dtype=np.float32)
    limb, start, end = _pairs(peaks, np.asarray(limbs, dtype=np.int64).reshape(-1, 2))
    along = peaks.xy[end] - peaks.xy[start]
    lines = _Lines(limb, peaks.xy[start], along, np.maximum(np.hypot(*along.T), 1e-9))
    middle = _projections(pafs, lines, np.array([0.5]))[:, 0]

    high = peaks.score > np.float32(settings.peak_threshold)
    likely = np.flatnonzero(high[start] & high[end])
    scores = _line_scores(pafs, lines.take(likely), stride, settings)
    if settings.short_limb:
        short = lines.length[likely] < settings.short_limb / stride
        scores[short] = np.maximum(scores[short], settings.paf_threshold)
    found = scores > 0
    index, scores = likely[found], scores[found]
    if settings.part_evidence:
        scores = scores * np.sqrt(peaks.score[start[index]] * peaks.score[end[index]])
    return Candidates(Connections(limb[index], start[index], end[index], scores), middle)


def first_of_keypoint(peaks: Peaks, keypoints: int) -> np.ndarray:
    """(keypoints + 1,) the index of each keypoint's first peak, and where the last one's end."""
    return np.searchsorted(peaks.keypoint, np.arange(keypoints + 1))


def _pairs(peaks: Peaks, limbs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind, start and end (T,) of all pairs of peaks that a limb could join, in the order of the candidates."""
    first = first_of_keypoint(peaks, limbs.max() + 1)
    starts, ends = np.diff(first)[limbs].T
    limb = np.repeat(np.arange(len(limbs)), starts * ends)
    row, column = np.divmod(count_up(starts * ends), ends[limb])
    return limb, first[limbs[limb, 0]] + row, first[limbs[limb, 1]] + column


def _line_scores(pafs: np.ndarray, lines: _Lines, stride: float, settings: DecodeSettings) -> np.ndarray:
    """(C,) the mean field along each line, 0 where too few samples pass."""
    scores = np.zeros(len(lines.limb))
    if settings.samples is None:
        counts = np.round(np.sqrt(_SAMPLES_PER_PIXEL * np.abs(lines.along).max(axis=1, initial=0) * stride))
        counts = counts.clip(_MIN_SAMPLES, _MAX_SAMPLES).astype(int)
    else:
        counts = np.full(len(scores), settings.samples)
    for count in np.unique(counts):
        own = np.flatnonzero(counts == count)
        fractions = np.arange(count) / max(count - 1, 1)
        needed = int(settings.pass_ratio * count) + 1
        # Most pairs are no limbs. If so many samples all fail, the others cannot make up for it.
        few = count - needed + 1
        some = fractions[((np.arange(few) + 0.5) * count / few).astype(int)]
        own = own[(_projections(pafs, lines.take(own), some) > settings.paf_threshold).any(axis=1)]
        samples = _projections(pafs, lines.take(own), fractions)
        passes = samples > settings.paf_threshold
        passed = passes.sum(axis=1)
        if settings.mean_of_passing:
            mean = np.where(passes, samples, 0).sum(axis=1) / np.maximum(passed, 1)
        else:
            mean = samples.mean(axis=1)
        if settings.length_prior:
            mean = mean + np.minimum(0.5 * pafs.shape[1] / lines.length[own] - 1, 0)
        scores[own] = np.where((passed >= needed) & (mean > 0), mean, 0)
    return scores


def _projections(pafs: np.ndarray, lines: _Lines, fractions: np.ndarray) -> np.ndarray:
    """(C, S) the fields' component along each line at fractions of its way, bilinear, constant beyond the border."""
    step = 1 + _BLOCK // (1 + len(fractions))
    blocks = [lines.take(slice(first, first + step)) for first in range(0, len(lines.limb), step)]
    return np.concatenate([np.empty((0, len(fractions))), *(_projected(pafs, block, fractions) for block in blocks)])


def _projected(pafs: np.ndarray, lines: _Lines, fractions: np.ndarray) -> np.ndarray:
    rows, columns = pafs.shape[1:]
    x, y = (
        (lines.start[:, axis, None] + fractions * lines.along[:, axis, None]).clip(0, size - 1)
        for axis, size in enumerate((columns, rows))
    )
    left, top = x.astype(np.int64), y.astype(np.int64)
    x, y = (x - left).astype(np.float32), (y - top).astype(np.float32)
    corner = (2 * lines.limb[:, None] * rows + top) * columns + left
    right, below = left < columns - 1, columns * (top < rows - 1)
    corners = corner, corner + right, corner + below, corner + below + right
    projection = np.float32(0)
    for axis in (0, 1):
        field = pafs.ravel()[axis * rows * columns :]
        before, after, before_below, after_below = (field[index] for index in corners)
        above = before + x * (after - before)
        value = above + y * (before_below + x * (after_below - before_below) - above)
        projection = projection + value * (lines.along[:, axis] / lines.length).astype(np.float32)[:, None]
    return projection


def match_one_to_one(candidates: Connections) -> Connections:
    """Greedy choice: the best candidate of each kind first, no peak used twice by limbs of one kind.

    Returns:
        Connections sorted by kind, then by falling score.
    """
    candidates = candidates.take(np.lexsort((-candidates.score, candidates.limb)))
    taken, chosen = set(), []
    for index, (limb, start, end) in enumerate(zip(*(values.tolist() for values in candidates[:3]), strict=True)):
        ends = {(limb, 'start', start), (limb, 'end', end)}
        if taken.isdisjoint(ends):
            taken |= ends
            chosen.append(index)
    return candidates.take(np.array(chosen, dtype=np.int64))
