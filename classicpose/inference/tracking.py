"""Who is who from frame to frame.

Symbols: P and Q people of two frames, K keypoints. Points are (x, y) in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..people import People, boxes_around
from ..skeletons import Skeleton

USUAL_FPS = 30.0
"""Of frames whose rate nobody tells, as a folder's."""

# Somebody seen from the side, or whose arms and legs lie on a line, is taken to be half as wide as long.
_SLIMMEST = 0.5
# Of people's velocities, in their sizes a second, a size being the root of an area: the standard deviation of each
# coordinate, for how many seconds they last, and what nobody exceeds, for a sprinter runs about 8.
_SPEED, _LASTING, _FASTEST = 2.0, 1.5, 10.0
# In sizes: the standard deviation of where somebody is found, and how far off they may be found besides walking.
_JITTER, _SLACK = 0.03, 0.15
# How much more likely the track is that has had more of a person's keypoints.
_WHOLENESS = 5


def oks_matrix(
    keypoints: np.ndarray,
    found: np.ndarray,
    other_keypoints: np.ndarray,
    other_found: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """COCO's object keypoint similarity of each two people, from 0 to 1.

    The sum over the keypoints that both people have, divided by the smaller of their numbers of keypoints. For
    detections with all keypoints and annotated people it is COCO's own.

    Args:
        keypoints: (P, K, 2), or (P, Q, K, 2) to be compared with each of the others.
        found: (P, K) bool, where a keypoint is there.
        other_keypoints: (Q, K, 2).
        other_found: (Q, K) bool.
        areas: of the people in square pixels, more than 0: (Q,) of the others, or (P, Q) of each two.
        sigmas: (K,) of the skeleton.

    Returns:
        (P, Q) float64; 0 where two have no keypoint in common.
    """
    keypoints = np.asarray(keypoints, np.float64)
    steps = (keypoints if keypoints.ndim == 4 else keypoints[:, None]) - np.asarray(other_keypoints, np.float64)
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
    """Somebody where they are expected, ``age`` seconds after they were last seen."""

    id: int
    keypoints: np.ndarray
    found: np.ndarray
    known: np.ndarray  # (K,) bool, the keypoints that were ever found
    velocity: np.ndarray  # (2,), pixels a second
    covariance: np.ndarray  # (2, 2), of the place and the velocity along each axis, in sizes and seconds
    age: float = 0.0


class Tracker:
    """Gives people the same id in each frame of a video: call it with each frame's people, in order.

    A Kalman filter predicts each track's place from its velocity, which decays, with an error that grows with the time
    since the track was last seen. The tracker takes the pairs of a track and a person in the order of their likelihood
    and matches those whose track and person are both still free. The likelihood is the product of the Gaussian density
    of the keypoints' distance from the predicted place, the similarity of the poses, the share of the person's
    keypoints that the track ever had, and the person's score. A person without a match gets the smallest id that was
    never used, higher scores first.

    Args:
        skeleton: the people's body model.
        fps: the rate of the frames, ``Frames.fps``.
        max_gap: a person who was hidden for at most this many seconds keeps the id.
        min_oks: a match's poses, moved upon each other, have at least this similarity (``oks_matrix``), by the larger
            area of the two.
    """

    def __init__(self, skeleton: Skeleton, fps: float = USUAL_FPS, max_gap: float = 1.0, min_oks: float = 0.2) -> None:
        self.sigmas = np.array(skeleton.sigmas)
        self.seconds = 1 / fps
        self.max_gap = max_gap
        self.min_oks = min_oks
        self._tracks: list[_Track] = []
        self._next_id = 0

    def __call__(self, people: People) -> People:
        """The same people with ``track_ids``."""
        keypoints, found = people.keypoints.astype(np.float64), people.keypoint_scores > 0
        ids = np.full(len(people), -1, dtype=np.int64)
        for track in self._tracks:
            _expect(track, self.seconds)
        for track, person, offset in self._matches(keypoints, found, people.scores):
            ids[person] = track.id
            gain = track.covariance[:, 0] / (track.covariance[0, 0] + _JITTER**2)
            track.velocity = track.velocity + gain[1] * offset
            track.covariance = track.covariance - np.outer(gain, track.covariance[0])
            track.keypoints, track.found, track.age = keypoints[person], found[person], 0.0
            track.known = track.known | found[person]
        for person in np.argsort(-people.scores, kind='stable'):
            if ids[person] < 0:
                ids[person] = self._next_id
                covariance = np.diag([_JITTER**2, _SPEED**2])
                place = keypoints[person], found[person], found[person]
                self._tracks.append(_Track(self._next_id, *place, np.zeros(2), covariance))
                self._next_id += 1
        self._tracks = [track for track in self._tracks if track.age <= self.max_gap]
        return replace(people, track_ids=ids)

    def _matches(
        self, keypoints: np.ndarray, found: np.ndarray, scores: np.ndarray
    ) -> list[tuple[_Track, int, np.ndarray]]:
        """Tracks, whom they match, and how far (2,) in pixels these are from where they were expected."""
        if not self._tracks or not len(keypoints):
            return []
        old = np.stack([track.keypoints for track in self._tracks])
        old_found = np.stack([track.found for track in self._tracks])
        areas = np.maximum.outer(person_areas(old, old_found), person_areas(keypoints, found))
        both = (old_found[:, None] & found)[..., None]
        offsets = np.where(both, keypoints - old[:, None], 0).sum(axis=2) / np.maximum(both.sum(axis=2), 1)
        poses = oks_matrix(old[:, None] + offsets[:, :, None], old_found, keypoints, found, areas, self.sigmas)
        distances = (offsets**2).sum(axis=-1) / areas
        variances = np.array([[track.covariance[0, 0] + _JITTER**2] for track in self._tracks])
        reach = np.array([[_SLACK + _FASTEST * track.age] for track in self._tracks])
        possible = (distances <= reach**2) & (poses >= self.min_oks) & (poses > 0)
        # The logarithm, because densities far from where a track is expected are too small for numbers.
        # Not to an arm, found as a person of its own, which is there still when the rest has moved.
        known = np.stack([track.known for track in self._tracks])[:, None] & found
        whole = (known.sum(axis=2) / np.maximum(found.sum(axis=1), 1)) ** _WHOLENESS
        likely = np.log(np.maximum(poses * whole * scores, np.finfo(np.float64).tiny))
        likely -= distances / (2 * variances) + np.log(variances)
        matches, taken = [], (set(), set())
        for index in np.argsort(-np.where(possible, likely, -np.inf), axis=None, kind='stable')[: possible.sum()]:
            row, person = np.unravel_index(index, likely.shape)
            if row not in taken[0] and person not in taken[1]:
                taken[0].add(row)
                taken[1].add(person)
                matches.append((self._tracks[row], int(person), offsets[row, person]))
        return matches


def _expect(track: _Track, seconds: float) -> None:
    """Move a track on; its velocity is an Ornstein-Uhlenbeck process (Singer, 1970)."""
    left = np.exp(-seconds / _LASTING)
    lasting = _LASTING * (1 - left)  # how many seconds' way at the old velocity
    place, both = 2 * _LASTING * (seconds - lasting) - lasting**2, lasting**2 / _LASTING
    added = _SPEED**2 * np.array([[place, both], [both, 1 - left**2]])
    step = np.array([[1, lasting], [0, left]])
    track.keypoints = track.keypoints + lasting * track.velocity
    track.velocity = left * track.velocity
    track.covariance = step @ track.covariance @ step.T + added
    track.age += seconds
