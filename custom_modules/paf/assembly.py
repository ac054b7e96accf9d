"""From limbs to people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..skeletons import Skeleton
from .limbs import Connections
from .peaks import Peaks


@dataclass
class _Person:
    parts: dict[int, int] = field(default_factory=dict)  # part -> index of its peak
    limb_score: float = 0.0


def assemble_people(
    peaks: Peaks,
    connections: Connections,
    skeleton: Skeleton,
    merge: bool = True,
    best_first: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Join limbs that share a part.

    A limb whose parts both are free starts a person (unless it may only extend one); a limb with one part in a person
    adds the other to it; a limb between two people joins them where they have no part in common and is dropped where
    they have.

    Args:
        peaks: M candidates of parts.
        connections: C limbs, no peak used twice by one kind.
        skeleton: its limbs, in the order of the connections' kinds.
        merge: False repeats the authors' MATLAB code, which never joins two people and looks only at the limb's start:
            a limb whose start is free begins a new person.
        best_first: take the limbs of all kinds in the order of their scores instead of kind by kind.

    Returns:
        (P, K) index of every person's peaks, -1 where a part is missing, and (P,) the sums of their limbs' scores.
    """
    if best_first:
        connections = connections.take(np.argsort(-connections.score, kind='stable'))
    owner: list[_Person | None] = [None] * len(peaks.part)
    people: dict[int, _Person] = {}
    for kind, start, end, score in zip(*(values.tolist() for values in connections), strict=True):
        start_part, end_part = skeleton.limbs[kind]
        first = owner[start]
        second = owner[end] if merge else None
        if first is None and second is None:
            if kind in skeleton.extending_limbs:
                continue
            person = _Person({start_part: start, end_part: end})
            people[id(person)] = person
        elif first is None or second is None:
            person = first or second
            part, peak = (end_part, end) if first else (start_part, start)
            if person.parts.get(part, peak) != peak:
                continue
            person.parts[part] = peak
        elif first is second:
            person = first
        elif first.parts.keys().isdisjoint(second.parts):
            person = first
            person.parts |= second.parts
            person.limb_score += second.limb_score
            del people[id(second)]
            for peak in second.parts.values():
                owner[peak] = person
        else:
            continue
        person.limb_score += score
        owner[start] = owner[end] = person

    members = np.full((len(people), len(skeleton.keypoints)), -1)
    for row, person in zip(members, people.values(), strict=True):
        row[list(person.parts)] = list(person.parts.values())
    return members, np.array([person.limb_score for person in people.values()], dtype=float)
