"""Who is who from frame to frame.

Symbols: P and Q people of two frames, K keypoints. Points are (x, y) in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..people import People, boxes_around
from ..skeletons import Skeleton

# Somebody seen from the side, or whose arms and legs lie on a line, is taken to be half as wide as long.
_SLIMMEST = 0.5
# How much of a track's velocity is that of its last step.
_LAST_STEP = 0.3


def oks_matrix(
    keypoints: np.ndarray,
    found: np.ndarray,
    other_keypoints: np.ndarray,
    other_found: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """COCO's object keypoint similarity of each two people, from 0 to 1.

    Summed over the keypoints that both have, and divided by the number of keypoints of the one who has fewer. With
    detections that have all keypoints, and people with labels, it is COCO's own.

    Args:
        keypoints: (P, K, 2).
        found: (P, K) bool, where a keypoint is there.
        other_keypoints: (Q, K, 2).
        other_found: (Q, K) bool.
        areas: of the people in square pixels, more than 0: (Q,) of the others, or (P, Q) of each two.
        sigmas: (K,) of the skeleton.

    Returns:
        (P, Q) float64; 0 where two have no keypoint in common.
    """
    steps = np.asarray(keypoints, np.float64)[:, None] - np.asarray(other_keypoints, np.float64)
    scale = np.asarray(areas, np.float64)[..., None] * (2 * np.asarray(sigmas, np.float64)) ** 2
    similar = np.exp(-(steps**2).sum(axis=-1) / (2 * scale))
    similar = np.where(found[:, None] & other_found, similar, 0.0)
    fewer = np.minimum(found.sum(axis=1)[:, None], other_found.sum(axis=1))
    return similar.sum(axis=-1) / np.maximum(fewer, 1)


def extents(keypoints: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(P, 2): width and height of the smallest box around each person's keypoints (P, K, 2); 0 without a keypoint."""
    boxes = boxes_around(keypoints, found)
    return np.where(found.any(axis=1)[:, None], boxes[:, 2:] - boxes[:, :2], 0.0)


def person_areas(keypoints: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(P,) areas in square pixels by the extent of the keypoints found, for :func:`oks_matrix`; more than 0."""
    short, long = np.sort(extents(keypoints, found).astype(np.float64), axis=1).T
    return np.maximum(long * np.maximum(short, _SLIMMEST * long), np.finfo(np.float64).tiny)


@dataclass
class _Track:
    """Somebody where they were last seen, ``age`` frames ago."""

    id: int
    keypoints: np.ndarray
    found: np.ndarray
    velocity: np.ndarray  # (2,), pixels a frame
    age: int = 0


class Tracker:
    """Gives people the same id in each frame of a video: call it with each frame's people, in order.

    Each pair of a track and a person, the most similar first, is matched if both are still free. A track is looked
    for where it goes at constant velocity. Whoever matches no track gets a new id, the smallest that nobody ever had,
    higher scores first.

    Args:
        skeleton: of the people.
        max_gap: in how many frames on end somebody may be missing and still be known again.
        min_oks: least :func:`oks_matrix` of a match, by the larger area of the two.
    """

    def __init__(self, skeleton: Skeleton, max_gap: int = 12, min_oks: float = 0.2) -> None:
        self.sigmas = np.array(skeleton.sigmas)
        self.max_gap = max_gap
        self.min_oks = min_oks
        self._tracks: list[_Track] = []
        self._next_id = 0

    def __call__(self, people: People) -> People:
        """The same people with ``track_ids``."""
        keypoints, found = people.keypoints.astype(np.float64), people.keypoint_scores > 0
        ids = np.full(len(people), -1, dtype=np.int64)
        for track in self._tracks:
            track.age += 1
        for track, person in self._matches(keypoints, found):
            ids[person] = track.id
            _advance(track, keypoints[person], found[person])
        for person in np.argsort(-people.scores, kind='stable'):
            if ids[person] < 0:
                ids[person] = self._next_id
                self._tracks.append(_Track(self._next_id, keypoints[person], found[person], np.zeros(2)))
                self._next_id += 1
        self._tracks = [track for track in self._tracks if track.age <= self.max_gap]
        return replace(people, track_ids=ids)

    def _matches(self, keypoints: np.ndarray, found: np.ndarray) -> list[tuple[_Track, int]]:
        if not self._tracks or not len(keypoints):
            return []
        old = np.stack([track.keypoints + track.velocity * track.age for track in self._tracks])
        old_found = np.stack([track.found for track in self._tracks])
        areas = np.maximum.outer(person_areas(old, old_found), person_areas(keypoints, found))
        similar = oks_matrix(old, old_found, keypoints, found, areas, self.sigmas)
        matches, taken = [], (set(), set())
        for index in np.argsort(-similar, axis=None, kind='stable'):
            row, person = np.unravel_index(index, similar.shape)
            if similar[row, person] < self.min_oks or similar[row, person] == 0:
                break
            if row not in taken[0] and person not in taken[1]:
                taken[0].add(row)
                taken[1].add(person)
                matches.append((self._tracks[row], int(person)))
        return matches


def _advance(track: _Track, keypoints: np.ndarray, found: np.ndarray) -> None:
    """Move a track to where somebody was found in this frame."""
    both = track.found & found
    step = (keypoints[both] - track.keypoints[both]).mean(axis=0) / track.age
    track.velocity = (1 - _LAST_STEP) * track.velocity + _LAST_STEP * step
    track.keypoints, track.found, track.age = keypoints, found, 0
