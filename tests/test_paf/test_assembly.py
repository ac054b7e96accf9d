"""People from limbs, on a body of five keypoints in a ring, whose last limb only extends."""

from __future__ import annotations

import numpy as np

from classicpose.paf import Connections, Peaks, assemble_people
from classicpose.skeletons import Skeleton

BODY = Skeleton(
    'body', ('nose', 'neck', 'left_eye', 'right_eye', 'head_top'), ((0, 1), (1, 2), (1, 3), (3, 4), (2, 4)), (0.1,) * 5,
    extending_limbs=(4,),
)  # fmt: skip
# Two peaks of every keypoint: 0 and 1 are noses, 2 and 3 necks, ...
PEAKS = Peaks(np.repeat(np.arange(5), 2), np.zeros((10, 2)), np.ones(10))


def assemble(limbs: list[tuple[int, int, int, float]], **variant: bool) -> tuple[list[list[int]], list[float]]:
    kind, start, end, score = (np.array(values) for values in zip(*limbs, strict=True))
    members, scores = assemble_people(PEAKS, Connections(kind, start, end, score), BODY, **variant)
    return members.tolist(), scores.tolist()


def test_limbs_that_share_a_part_make_a_person() -> None:
    people, scores = assemble([(0, 0, 2, 1.0), (0, 1, 3, 0.5), (1, 2, 4, 0.25), (2, 3, 7, 0.125)])
    assert people == [[0, 2, 4, -1, -1], [1, 3, -1, 7, -1]]
    assert scores == [1.25, 0.625]


def test_a_limb_inside_a_person_adds_its_score() -> None:
    people, scores = assemble([(1, 2, 4, 1.0), (2, 2, 6, 1.0), (3, 6, 8, 1.0), (4, 4, 8, 0.5)])
    assert people == [[-1, 2, 4, 6, 8]]
    assert scores == [3.5]


def test_a_limb_between_two_people_joins_them() -> None:
    limbs = [(0, 0, 2, 1.0), (3, 6, 8, 1.0), (2, 2, 6, 0.5)]
    assert assemble(limbs) == ([[0, 2, -1, 6, 8]], [2.5])


def test_people_with_a_part_in_common_stay_apart() -> None:
    limbs = [(0, 0, 2, 1.0), (1, 3, 4, 1.0), (4, 4, 8, 1.0), (0, 1, 3, 0.1), (1, 2, 4, 0.1)]
    people, _ = assemble(limbs)
    assert people == [[0, 2, -1, -1, -1], [1, 3, 4, -1, 8]]


def test_a_taken_part_is_not_replaced() -> None:
    people, _ = assemble([(1, 2, 4, 1.0), (0, 0, 2, 1.0), (4, 5, 8, 1.0), (1, 3, 5, 1.0), (0, 1, 3, 1.0)])
    assert people == [[0, 2, 4, -1, -1], [1, 3, 5, -1, -1]]


def test_an_extending_limb_starts_nobody() -> None:
    people, _ = assemble([(4, 4, 8, 1.0), (0, 0, 2, 1.0)])
    assert people == [[0, 2, -1, -1, -1]]
    people, _ = assemble([(1, 2, 4, 1.0), (4, 4, 8, 1.0)])
    assert people == [[-1, 2, 4, -1, 8]]


def test_matlab_looks_only_at_the_start() -> None:
    limbs = [(1, 2, 4, 1.0), (0, 0, 2, 1.0), (2, 2, 6, 1.0)]
    assert assemble(limbs)[0] == [[0, 2, 4, 6, -1]]
    assert assemble(limbs, merge=False)[0] == [[-1, 2, 4, -1, -1], [0, 2, -1, 6, -1]]


def test_best_first_lets_the_better_limb_win() -> None:
    limbs = [(0, 0, 2, 0.1), (1, 3, 4, 0.9), (1, 2, 5, 0.8), (0, 1, 3, 0.9), (4, 4, 8, 0.2), (4, 5, 8, 0.7)]
    assert assemble(limbs)[0] == [[0, 2, 5, -1, -1], [1, 3, 4, -1, 8]]
    assert assemble(limbs, best_first=True)[0] == [[1, 3, 4, -1, -1], [0, 2, 5, -1, 8]]


def test_nobody() -> None:
    nothing = np.zeros(0, dtype=int)
    members, scores = assemble_people(PEAKS, Connections(nothing, nothing, nothing, np.zeros(0)), BODY)
    assert members.shape == (0, 5)
    assert scores.shape == (0,)
