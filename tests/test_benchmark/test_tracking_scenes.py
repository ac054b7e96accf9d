"""IDF1 by its definition, generated videos, and what the tracker is worth on them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from classicpose.inference.tracking import Tracker
from classicpose.skeletons import OPENPOSE18
from custom_modules.benchmark.tracking import FPS, SCENES, SIZE, idf1, play


def test_idf1_by_hand() -> None:
    assert idf1('aabb', [0, 0, 1, 1]) == 1
    assert idf1('aaaa', [0, 0, 0, 1]) == 0.75
    # Two who change their ids half way, and two under one id.
    assert idf1('abababab', [0, 1, 0, 1, 1, 0, 1, 0]) == 0.5
    assert idf1('aaab', [0, 0, 0, 0]) == 0.75


def test_idf1_is_the_best_of_all_assignments() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        known, found = rng.integers(4, size=(2, 30)).tolist()
        right = [
            sum(ids[one] == other for one, other in zip(known, found, strict=True)) for ids in permutations(range(4))
        ]
        assert idf1(known, found) == max(right) / 30


@pytest.mark.parametrize('name', SCENES)
def test_people_of_a_scene(name: str) -> None:
    scene = SCENES[name]
    video = list(play(scene, np.random.default_rng(0)))
    assert max(len(people) for people, _ in video) == scene.people
    for people, ids in video:
        assert len(people) == len(set(ids)) == len(ids)
        there = people.keypoints[people.keypoint_scores > 0]
        assert ((there >= 0) & (there < SIZE)).all()
    everybody = {one for _, ids in video for one in ids}
    assert len(everybody) > scene.people if scene.guests else len(everybody) == scene.people


@pytest.mark.parametrize(
    ('name', 'step', 'least'), [('one walks', 15, 0.9), ('4 walk', 8, 0.9), ('12 walk', 3, 0.9), ('4 hide', 1, 0.8)]
)
def test_ids_last(name: str, step: int, least: float) -> None:
    tracker, known, found = Tracker(OPENPOSE18, FPS / step), [], []
    for people, ids in list(play(SCENES[name], np.random.default_rng(0)))[::step]:
        known += ids
        found += tracker(people).track_ids.tolist()
    assert idf1(known, found) > least
