"""From limbs to people."""

from __future__ import annotations

import numpy as np

from ..skeletons import Skeleton
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
        merge: False repeats the authors' MATLAB code, which never joins two people: a limb whose start is free begins a
            new person, whatever its end, and one that may only extend a person adds no score.
        best_first: take the limbs of all kinds in the order of their scores instead of kind by kind.

    Returns:
        (P, K) index of every person's peaks, -1 where a keypoint is missing, and (P,) the sums of their limbs' scores.
    """
    if best_first:
        connections = connections.take(np.argsort(-connections.score, kind='stable'))
    members: list[list[int]] = []  # of every person its peaks by keypoint
    sums: list[float] = []
    owner: dict[int, int] = {}  # of every peak that has one its person
    for limb, start, end, score in zip(*(values.tolist() for values in connections), strict=True):
        start_keypoint, end_keypoint = skeleton.limbs[limb]
        first, second = owner.get(start), owner.get(end)
        extends = limb in skeleton.extending_limbs
        if not merge and (first is not None or not extends):
            second = None
        if first is None and second is None:
            if extends:
                continue
            person = len(members)
            members.append([-1] * len(skeleton.keypoints))
            sums.append(0.0)
            members[person][start_keypoint], members[person][end_keypoint] = start, end
        elif first is None or second is None:
            person, keypoint, peak = (first, end_keypoint, end) if second is None else (second, start_keypoint, start)
            if members[person][keypoint] not in (-1, peak):
                continue
            members[person][keypoint] = peak
        else:
            person = first
            if first != second:
                pairs = list(zip(members[first], members[second], strict=True))
                if any(min(pair) >= 0 for pair in pairs):
                    continue
                members[first] = [max(pair) for pair in pairs]
                owner.update(dict.fromkeys((peak for peak in members[second] if peak >= 0), first))
                sums[first] += sums[second]
                members[second] = []
        if merge or not extends:
            sums[person] += score
        owner[start] = owner[end] = person
    alive = [person for person, peaks in enumerate(members) if peaks]
    return (
        np.array([members[person] for person in alive], dtype=np.int64).reshape(-1, len(skeleton.keypoints)),
        np.array([sums[person] for person in alive]),
    )


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
    own = [slice(*ends) for ends in zip(first[:-1], first[1:], strict=True)]
    limbs = np.array(skeleton.limbs)
    tables = np.split(np.nan_to_num(middle), np.diff(first)[limbs].prod(axis=1).cumsum()[:-1])
    # Of every keypoint its limbs: the keypoint at the other end, and of all peaks of both the product and the distance.
    ways = [[] for _ in skeleton.keypoints]
    for table, (start, end) in zip(tables, skeleton.limbs, strict=True):
        distance = np.hypot(*(peaks.xy[own[start], None] - peaks.xy[own[end]]).transpose(2, 0, 1))
        table = table.reshape(distance.shape)
        if table.size:
            ways[start].append((end, table * peaks.score[own[end]], distance))
            ways[end].append((start, table.T * peaks.score[own[start]], distance.T))

    completed = members.copy()
    for person in completed:
        missing = set(np.flatnonzero(person < 0).tolist())
        reach = _reach(peaks.xy[person[person >= 0]])
        hints: list[tuple[float, int, int]] = []  # the product, the keypoint and its peak
        new = np.flatnonzero(person >= 0).tolist()
        while missing:
            for keypoint in new:
                peak = person[keypoint] - first[keypoint]
                for other, products, distances in ways[keypoint]:
                    if other in missing:
                        near = np.where(distances[peak] <= reach, products[peak], 0)
                        best = near.argmax()
                        if near[best] > 0:
                            hints.append((near[best], other, first[other] + best))
            hints = [hint for hint in hints if hint[1] in missing]
            if not hints:
                break
            _, keypoint, person[keypoint] = max(hints, key=lambda hint: hint[0])
            missing.remove(keypoint)
            new = [keypoint]
    return completed


def _reach(points: np.ndarray) -> float:
    """How far from a person's keypoints (M, 2) others are looked for, in cells."""
    return max(_REACH * np.sqrt((np.ptp(points, axis=0) + 1).prod()), _MIN_REACH)
