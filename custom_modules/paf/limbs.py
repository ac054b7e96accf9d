"""Which parts belong together: line integrals through the affinity fields and a one-to-one choice for every limb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .peaks import Peaks


class Connections(NamedTuple):
    """C limbs found: limb (C,) its kind, start and end (C,) indices into the peaks, score (C,)."""

    limb: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray

    def take(self, index: np.ndarray) -> Connections:
        """Those that a mask or an array of indices selects."""
        return Connections(*(values[index] for values in self))


def candidate_pairs(peaks: Peaks, limbs: Sequence[tuple[int, int]]) -> Connections:
    """Every pair of peaks that a limb could join, scores zero."""
    first = np.searchsorted(peaks.part, np.arange(max(map(max, limbs)) + 2))
    kinds, starts, ends = [], [], []
    for kind, (start, end) in enumerate(limbs):
        a = np.arange(first[start], first[start + 1])
        b = np.arange(first[end], first[end + 1])
        kinds.append(np.full(len(a) * len(b), kind))
        starts.append(np.repeat(a, len(b)))
        ends.append(np.tile(b, len(a)))
    kind = np.concatenate(kinds)
    return Connections(kind, np.concatenate(starts), np.concatenate(ends), np.zeros(len(kind)))


def field_along(
    pafs: np.ndarray, kind: np.ndarray, start: np.ndarray, end: np.ndarray, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the field that points from start to end, at points evenly spread between them.

    Args:
        pafs: (2 L, H, W).
        kind: (C,) limb of each candidate.
        start, end: (C, 2) in cells.
        samples: (C,) how many points, both ends included.

    Returns:
        (C, S) projections, S the largest number of samples, bilinear between cells; (C, S) which of them count.
    """
    axis = end - start
    length = np.maximum(np.hypot(axis[:, 0], axis[:, 1]), 1e-9)
    step = np.arange(samples.max())
    fraction = np.minimum(step / np.maximum(samples[:, None] - 1, 1), 1)
    points = start[:, None] + fraction[:, :, None] * axis[:, None]
    height, width = pafs.shape[1:]
    x = points[..., 0].clip(0, width - 1)
    y = points[..., 1].clip(0, height - 1)
    left = np.minimum(x.astype(int), max(width - 2, 0))
    top = np.minimum(y.astype(int), max(height - 2, 0))
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    x, y = x - left, y - top
    projection = np.zeros(x.shape)
    for component in (0, 1):
        field = pafs[2 * kind[:, None] + component, top, left] * ((1 - x) * (1 - y))
        field += pafs[2 * kind[:, None] + component, top, right] * (x * (1 - y))
        field += pafs[2 * kind[:, None] + component, below, left] * ((1 - x) * y)
        field += pafs[2 * kind[:, None] + component, below, right] * (x * y)
        projection += field * (axis[:, component] / length)[:, None]
    return projection, step < samples[:, None]


def connect_limbs(
    pafs: np.ndarray,
    peaks: Peaks,
    limbs: Sequence[tuple[int, int]],
    samples: int | None,
    threshold: float,
    pass_ratio: float,
    mean_of_passing: bool = False,
    long_limb: float | None = None,
    short_limb: float = 0.0,
    pixel: float = 1.0,
) -> Connections:
    """Score all candidate pairs and choose the limbs, one-to-one for each kind, the best first.

    Args:
        pafs: (2 L, H, W).
        peaks: the parts' candidates.
        limbs: L pairs of part indices.
        samples: points on each line; None takes C++ OpenPose's 5 to 25, the square root of five times its extent in
            input pixels.
        threshold: what the projected field must exceed for a sample to pass.
        pass_ratio: a limb needs more than this share of passing samples.
        mean_of_passing: the score is the mean of the passing samples, not of all.
        long_limb: limbs longer than this many cells lose score in proportion, the original's ``min(0.5 H / length - 1,
            0)``.
        short_limb: ends closer than this many cells are joined, with the score ``threshold`` at least: on so short a
            line the field has no cell to speak in.
        pixel: cells an input pixel, for ``samples`` None.

    Returns:
        Connections sorted by kind, then by falling score.
    """
    pairs = candidate_pairs(peaks, limbs)
    if not len(pairs.limb):
        return pairs
    start, end = peaks.xy[pairs.start], peaks.xy[pairs.end]
    if samples is None:
        extent = np.abs(end - start).max(axis=1) / pixel
        count = np.round(np.sqrt(5 * extent)).clip(5, 25).astype(int)
    else:
        count = np.full(len(start), samples)
    projection, counted = field_along(pafs, pairs.limb, start, end, count)
    passing = (projection > threshold) & counted
    passed = passing.sum(axis=1)
    if mean_of_passing:
        score = np.where(passing, projection, 0).sum(axis=1) / np.maximum(passed, 1)
    else:
        score = np.where(counted, projection, 0).sum(axis=1) / count
    length = np.linalg.norm(end - start, axis=1)
    if long_limb is not None:
        score = score + np.minimum(long_limb / np.maximum(length, 1e-9) - 1, 0)
    accepted = (passed > pass_ratio * count) & (score > 0)
    short = length < short_limb
    score = np.where(short, np.fmax(score, threshold), score)
    accepted |= short
    return match_one_to_one(pairs._replace(score=score).take(accepted))


def match_one_to_one(candidates: Connections) -> Connections:
    """Greedy choice: the best candidate of each kind first, no peak used twice by limbs of one kind.

    Works in rounds on all kinds at once. A candidate that is the best both of its start and of its end belongs to the
    greedy solution; it is taken, its rivals are dropped, and the rest is looked at again.
    """
    candidates = candidates.take(np.lexsort((-candidates.score, candidates.limb)))
    if not len(candidates.limb):
        return candidates
    stride = max(candidates.start.max(), candidates.end.max()) + 1
    starts = candidates.limb * stride + candidates.start
    ends = candidates.limb * stride + candidates.end
    chosen = np.zeros(len(starts), dtype=bool)
    open_ = np.arange(len(starts))
    while len(open_):
        best_of_start = _first_with_key(starts[open_])
        best_of_end = _first_with_key(ends[open_])
        taken = open_[best_of_start & best_of_end]
        chosen[taken] = True
        open_ = open_[~np.isin(starts[open_], starts[taken]) & ~np.isin(ends[open_], ends[taken])]
    return candidates.take(chosen)


def _first_with_key(keys: np.ndarray) -> np.ndarray:
    """Mask of the first occurrence of every key."""
    first = np.zeros(len(keys), dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first
