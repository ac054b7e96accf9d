"""Which keypoints belong together.

Line integrals through the affinity fields, and a one-to-one choice for every limb.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .compiled import compiled
from .peaks import Peaks

# C++ OpenPose's number of samples on a line: the square root of this times its extent in input pixels, within limits.
_SAMPLES_PER_PIXEL = 5
_MIN_SAMPLES, _MAX_SAMPLES = 5, 25


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


def score_limbs(
    pafs: np.ndarray,
    peaks: Peaks,
    limbs: Sequence[tuple[int, int]],
    samples: int | None = 10,
    threshold: float = 0.05,
    pass_ratio: float = 0.8,
    mean_of_passing: bool = False,
    part_evidence: bool = False,
    long_limb: float | None = None,
    short_limb: float = 0.0,
    pixel: float = 1.0,
    peak_threshold: float = 0.0,
) -> Candidates:
    """Look along the line between all pairs of peaks that a limb could join.

    Args:
        pafs: (2 L, H, W).
        peaks: the keypoints' candidates.
        limbs: L pairs of keypoint indices.
        samples: points on each line, bilinear between cells; None takes C++ OpenPose's 5 to 25, by length.
        threshold: what the field along the line must exceed for a sample to pass.
        pass_ratio: a limb needs more than this share of passing samples.
        mean_of_passing: the score is the mean of the passing samples, not of all.
        part_evidence: the score is multiplied by the geometric mean of its ends' heights.
        long_limb: limbs longer than this many cells lose score in proportion; the original adds
            ``min(0.5 H / length - 1, 0)``.
        short_limb: ends closer than this many cells are joined, with a score of ``threshold`` at least: so short a
            line may miss all cells of the field.
        pixel: cells an input pixel, for ``samples`` None.
        peak_threshold: only peaks higher than this become limbs' ends.
    """
    pafs = np.ascontiguousarray(pafs, dtype=np.float32)
    ends = np.asarray(limbs, dtype=np.int64).reshape(-1, 2)
    limb, start, end, score, middle = _score_pairs(
        pafs, peaks.xy, peaks.score, first_of_keypoint(peaks, ends.max() + 1), ends, samples or 0, threshold,
        pass_ratio, mean_of_passing, part_evidence, np.inf if long_limb is None else long_limb, short_limb, pixel,
        np.float32(peak_threshold),
    )  # fmt: skip
    return Candidates(Connections(limb, start, end, score), middle)


def first_of_keypoint(peaks: Peaks, keypoints: int) -> np.ndarray:
    """(keypoints + 1,) the index of each keypoint's first peak, and where the last one's end."""
    return np.searchsorted(peaks.keypoint, np.arange(keypoints + 1))


@compiled
def _score_pairs(
    pafs, xy, height, first, ends, samples, threshold, pass_ratio, mean_of_passing, part_evidence, long_limb,
    short_limb, pixel, peak_threshold,
):  # fmt: skip
    """The limbs' kind, start, end and score, and all pairs' field in the middle."""
    pairs = 0
    for a, b in ends:
        pairs += (first[a + 1] - first[a]) * (first[b + 1] - first[b])
    limbs, scores, middle = np.empty((pairs, 3), np.int64), np.empty(pairs), np.empty(pairs)
    pair = found = 0
    for limb in range(len(ends)):
        a, b = ends[limb]
        field_x, field_y = pafs[2 * limb], pafs[2 * limb + 1]
        for start in range(first[a], first[a + 1]):
            x, y = xy[start]
            for end in range(first[b], first[b + 1]):
                along_x, along_y = xy[end, 0] - x, xy[end, 1] - y
                length = max(np.hypot(along_x, along_y), 1e-9)
                middle[pair] = _projection(field_x, field_y, x, y, along_x, along_y, length, 0.5)
                pair += 1
                if not (height[start] > peak_threshold and height[end] > peak_threshold):
                    continue
                score = _line_score(
                    field_x, field_y, x, y, along_x, along_y, length,
                    samples if samples > 0 else _samples_by_length(max(abs(along_x), abs(along_y)) / pixel),
                    threshold, pass_ratio, mean_of_passing, long_limb,
                )  # fmt: skip
                if length < short_limb:
                    score = max(score, threshold)
                if part_evidence:
                    score *= np.sqrt(height[start] * height[end])
                if score > 0:
                    limbs[found, 0], limbs[found, 1], limbs[found, 2], scores[found] = limb, start, end, score
                    found += 1
    limbs = limbs[:found]
    return limbs[:, 0].copy(), limbs[:, 1].copy(), limbs[:, 2].copy(), scores[:found].copy(), middle


@compiled
def _samples_by_length(extent: float) -> int:
    return int(min(max(np.round(np.sqrt(_SAMPLES_PER_PIXEL * extent)), _MIN_SAMPLES), _MAX_SAMPLES))


@compiled
def _line_score(
    field_x, field_y, x, y, along_x, along_y, length, samples, threshold, pass_ratio, mean_of_passing, long_limb
):  # fmt: skip
    """The mean field along a line, 0 where too few samples pass."""
    total, passed = 0.0, 0
    for sample in range(samples):
        if not passed + samples - sample > pass_ratio * samples:
            return 0.0  # not even if all the others pass
        value = _projection(field_x, field_y, x, y, along_x, along_y, length, sample / max(samples - 1, 1))
        passes = value > threshold
        passed += passes
        if passes or not mean_of_passing:
            total += value
    if not passed > pass_ratio * samples:
        return 0.0
    score = total / (passed if mean_of_passing else samples)
    if length > long_limb:
        score += long_limb / length - 1
    return score if score > 0 else 0.0


@compiled
def _projection(field_x, field_y, x, y, along_x, along_y, length, fraction):
    """The field's component along a line at a fraction of its way, bilinear between cells, constant outside."""
    rows, columns = field_x.shape
    x = min(max(x + fraction * along_x, 0.0), columns - 1.0)
    y = min(max(y + fraction * along_y, 0.0), rows - 1.0)
    left, top = int(x), int(y)
    right, below = min(left + 1, columns - 1), min(top + 1, rows - 1)
    x, y = x - left, y - top
    value_x = (field_x[top, left] * (1 - x) + field_x[top, right] * x) * (1 - y)
    value_x += (field_x[below, left] * (1 - x) + field_x[below, right] * x) * y
    value_y = (field_y[top, left] * (1 - x) + field_y[top, right] * x) * (1 - y)
    value_y += (field_y[below, left] * (1 - x) + field_y[below, right] * x) * y
    return (value_x * along_x + value_y * along_y) / length


def match_one_to_one(candidates: Connections) -> Connections:
    """Greedy choice: the best candidate of each kind first, no peak used twice by limbs of one kind.

    Returns:
        Connections sorted by kind, then by falling score.
    """
    candidates = candidates.take(np.lexsort((-candidates.score, candidates.limb)))
    return candidates.take(_greedy(candidates.limb, candidates.start, candidates.end))


@compiled
def _greedy(limb: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(limb), dtype=np.bool_)
    if not len(limb):
        return chosen
    # The last kind of limb that took each peak.
    taken = np.full((2, max(start.max(), end.max()) + 1), -1)
    for index in range(len(limb)):
        if taken[0, start[index]] != limb[index] and taken[1, end[index]] != limb[index]:
            taken[0, start[index]] = taken[1, end[index]] = limb[index]
            chosen[index] = True
    return chosen
