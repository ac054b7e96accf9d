"""From limbs to people."""

from __future__ import annotations

import numpy as np

from ..skeletons import Skeleton
from .compiled import compiled
from .limbs import Connections, first_of_keypoint
from .peaks import Peaks

# A keypoint is looked for no farther from its neighbour than this many times the person's size, and at least so many
# cells.
_REACH = 2.0
_MIN_REACH = 4.0


def assemble_people(
    peaks: Peaks,
    connections: Connections,
    skeleton: Skeleton,
    merge: bool = True,
    best_first: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Join limbs that share a keypoint.

    A limb whose keypoints both are free starts a person (unless it may only extend one); a limb with one keypoint in a
    person adds the other to it; a limb between two people joins them where they have no keypoint in common and is
    dropped where they have.

    Args:
        peaks: M candidates of keypoints.
        connections: C limbs, no peak used twice by one kind.
        skeleton: its limbs, in the order of the connections' kinds.
        merge: False repeats the authors' MATLAB code, which never joins two people and looks only at the limb's start:
            a limb whose start is free begins a new person.
        best_first: take the limbs of all kinds in the order of their scores instead of kind by kind.

    Returns:
        (P, K) index of every person's peaks, -1 where a keypoint is missing, and (P,) the sums of their limbs' scores.
    """
    if best_first:
        connections = connections.take(np.argsort(-connections.score, kind='stable'))
    extends = np.zeros(len(skeleton.limbs), dtype=bool)
    extends[list(skeleton.extending_limbs)] = True
    limbs = np.asarray(skeleton.limbs, dtype=np.int64)
    return _assemble(*connections, limbs, extends, len(peaks.keypoint), len(skeleton.keypoints), merge)


@compiled
def _assemble(limb, starts, ends, scores, limbs, extends, peaks, keypoints, merge):
    people = np.full((len(limb), keypoints), -1)
    sums = np.zeros(len(limb))
    alive = np.zeros(len(limb), dtype=np.bool_)
    owner = np.full(peaks, -1)
    total = 0
    for index in range(len(limb)):
        start, end = starts[index], ends[index]
        start_keypoint, end_keypoint = limbs[limb[index]]
        first = owner[start]
        second = owner[end] if merge else -1
        if first < 0 and second < 0:
            if extends[limb[index]]:
                continue
            person = total
            total += 1
            alive[person] = True
            people[person, start_keypoint], people[person, end_keypoint] = start, end
        elif first < 0 or second < 0:
            person = max(first, second)
            keypoint, peak = (end_keypoint, end) if first >= 0 else (start_keypoint, start)
            if people[person, keypoint] not in (-1, peak):
                continue
            people[person, keypoint] = peak
        elif first == second:
            person = first
        else:
            disjoint = True
            for keypoint in range(keypoints):
                disjoint &= people[first, keypoint] < 0 or people[second, keypoint] < 0
            if not disjoint:
                continue
            person = first
            for keypoint in range(keypoints):
                if people[second, keypoint] >= 0:
                    people[person, keypoint] = people[second, keypoint]
                    owner[people[second, keypoint]] = person
            sums[person] += sums[second]
            alive[second] = False
        sums[person] += scores[index]
        owner[start] = owner[end] = person
    return people[:total][alive[:total]], sums[:total][alive[:total]]


def complete_people(members: np.ndarray, peaks: Peaks, middle: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Guess the keypoints that people lack where maps and fields hint at them.

    Of all peaks, low ones and other people's included (of two people who cover one another a keypoint is often one
    peak), a missing keypoint takes the one with the largest product of its height and the field in the middle between
    it and a keypoint the person has; so from keypoint to keypoint until nothing is found any more.

    Args:
        members: (P, K) index of every person's peaks, -1 where a keypoint is missing.
        peaks: M candidates of keypoints.
        middle: the field between all pairs of peaks, see :class:`~classicpose.paf.limbs.Candidates`.
        skeleton: its limbs.

    Returns:
        (P, K) as ``members``, with fewer keypoints missing.
    """
    first = first_of_keypoint(peaks, len(skeleton.keypoints))
    limbs = np.asarray(skeleton.limbs, dtype=np.int64)
    completed = members.copy()
    _complete(completed, peaks.xy, peaks.score, middle, first, limbs)
    return completed


@compiled
def _complete(members, xy, height, middle, first, limbs):
    counts = first[1:] - first[:-1]
    offsets = np.zeros(len(limbs), dtype=np.int64)
    for limb in range(1, len(limbs)):
        a, b = limbs[limb - 1]
        offsets[limb] = offsets[limb - 1] + counts[a] * counts[b]
    for person in members:
        reach = _reach(xy, person)
        while True:
            best, best_keypoint, best_peak = 0.0, -1, -1
            for limb in range(len(limbs)):
                a, b = limbs[limb]
                if (person[a] < 0) == (person[b] < 0):
                    continue
                keypoint = b if person[b] < 0 else a
                for peak in range(first[keypoint], first[keypoint + 1]):
                    start, end = (person[a], peak) if keypoint == b else (peak, person[b])
                    pair = offsets[limb] + (start - first[a]) * counts[b] + end - first[b]
                    evidence = middle[pair] * height[peak]
                    if evidence > best:
                        distance = np.hypot(xy[start, 0] - xy[end, 0], xy[start, 1] - xy[end, 1])
                        if distance <= reach:
                            best, best_keypoint, best_peak = evidence, keypoint, peak
            if best_keypoint < 0:
                break
            person[best_keypoint] = best_peak


@compiled
def _reach(xy, person):
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for peak in person:
        if peak >= 0:
            low, high = np.minimum(low, xy[peak]), np.maximum(high, xy[peak])
    return max(_REACH * np.sqrt((high[0] - low[0] + 1) * (high[1] - low[1] + 1)), _MIN_REACH)
