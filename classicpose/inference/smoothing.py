"""Less jitter in the keypoints of tracked people: the One-Euro filter of Casiez, Roussel and Vogel (CHI 2012).

Symbols: P people, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..people import People
from .tracking import extents


@dataclass
class _State:
    """The last frame's people after filtering; ``rows`` is where each track is."""

    rows: dict[int, int]
    keypoints: np.ndarray  # (P, K, 2)
    speeds: np.ndarray  # (P, K, 2)
    found: np.ndarray  # (P, K)


class OneEuroSmoother:
    """Filters x and y of each keypoint of each track: call it with each frame's people, in order, after the tracker.

    A low-pass filter whose cutoff frequency is ``min_cutoff + beta * speed``: steady where a keypoint rests, without
    lag where it moves. Speeds are measured in sizes of the person, the longer side of the box around the keypoints, a
    second, so that the same settings suit people near and far and any resolution. A keypoint that was not there in the
    frame before starts anew; only the last frame is remembered.

    Args:
        fps: the rate of the frames, ``Frames.fps``.
        min_cutoff: the cutoff frequency of a keypoint at rest, in Hz. A lower value gives less jitter.
        beta: the increase of the cutoff frequency, in Hz for each size a second. A higher value gives less lag.
        speed_cutoff: the cutoff frequency of the low-pass filter of the speed, in Hz.
    """

    def __init__(self, fps: float, min_cutoff: float = 1.5, beta: float = 5.0, speed_cutoff: float = 1.0) -> None:
        self.fps = fps
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.speed_cutoff = speed_cutoff
        self._last: _State | None = None

    def __call__(self, people: People) -> People:
        """The same people with filtered keypoints, their hands' and faces' too; missing keypoints stay as they are.

        Raises:
            ValueError: when the people have no ``track_ids``.
        """
        if people.track_ids is None:
            raise ValueError('only tracked people can be smoothed: give them track_ids with a Tracker')
        body = np.dstack([people.keypoints, people.keypoint_scores])
        together = np.concatenate([body, *people.parts.values()], axis=1)
        raw, found = together[..., :2].astype(np.float64), together[..., 2] > 0
        sizes = extents(people.keypoints, people.keypoint_scores > 0).max(axis=1).astype(np.float64)
        smooth, speeds = raw.copy(), np.zeros_like(raw)
        if self._last is not None:
            rows = np.array([self._last.rows.get(track, -1) for track in people.track_ids.tolist()], dtype=int)
            old = np.flatnonzero(rows >= 0)
            person, keypoint = np.nonzero(found[old] & self._last.found[rows[old]])
            before, now = (rows[old[person]], keypoint), (old[person], keypoint)
            size = sizes[now[0], None]
            moved = raw[now] - self._last.keypoints[before]
            # A single keypoint has no size; it only ever rests.
            speed = np.divide(moved * self.fps, size, out=np.zeros_like(moved), where=size > 0)
            previous = self._last.speeds[before]
            speeds[now] = previous + _share(self.speed_cutoff, self.fps) * (speed - previous)
            cutoff = self.min_cutoff + self.beta * np.abs(speeds[now])
            smooth[now] = self._last.keypoints[before] + _share(cutoff, self.fps) * moved
        rows = {track: row for row, track in enumerate(people.track_ids.tolist())}
        self._last = _State(rows, smooth, speeds, found)
        together[..., :2] = smooth
        body, *others = np.split(together, self._ends(people), axis=1)
        parts = dict(zip(people.parts, others, strict=True))
        return replace(people, keypoints=body[..., :2].astype(people.keypoints.dtype), parts=parts)

    def _ends(self, people: People) -> np.ndarray:
        """Where the body ends and each part but the last, in an array of all keypoints."""
        widths = [people.keypoints.shape[1], *(part.shape[1] for part in people.parts.values())]
        return np.cumsum(widths)[:-1]


def _share(cutoff: float | np.ndarray, fps: float) -> float | np.ndarray:
    """The weight of a new value in a low-pass filter, the paper's alpha: its time constant is 1 / (2 pi cutoff)."""
    return 1 / (1 + fps / (2 * np.pi * cutoff))
