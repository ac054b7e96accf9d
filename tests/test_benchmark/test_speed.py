"""What the benchmark measures: the right thing, on inputs that are what they are said to be. Times are not asserted."""

from __future__ import annotations

import numpy as np
import pytest

from custom_modules.benchmark.speed import count_whole, crowd, measure_decode, measure_targets, peak_memory, time_call

SIZE = (656, 368)


@pytest.mark.parametrize('apart', [False, True])
@pytest.mark.parametrize('count', [1, 7, 40])
def test_people_lie_in_the_image(count: int, apart: bool) -> None:
    people = crowd(count, SIZE, np.random.default_rng(count), apart)
    assert people.shape == (count, 18, 2)
    assert (people >= 0).all()
    assert (people <= np.array(SIZE) - 1).all()


def test_people_apart_leave_two_cells_between_them() -> None:
    people = crowd(20, SIZE, np.random.default_rng(0), apart=True)
    low, high = people.min(axis=1), people.max(axis=1)
    gaps = np.maximum(low[:, None] - high, low - high[:, None]).max(axis=-1)
    assert gaps[~np.eye(20, dtype=bool)].min() >= 16 - 1e-6


def test_crowds_overlap_and_differ_in_size() -> None:
    people = crowd(20, SIZE, np.random.default_rng(0))
    heights = np.ptp(people[..., 1], axis=1)
    assert heights.min() < 150 < 250 < heights.max()


def test_whole_people_by_hand() -> None:
    people = np.stack([np.full((18, 2), 50.0), np.full((18, 2), 200.0)])
    found, scores = people[::-1] + [3, 4], np.ones((2, 18))
    assert count_whole(people, found, scores) == 2
    found[0, 5] += 6
    assert count_whole(people, found, scores) == 1
    scores[1, 17] = 0
    assert count_whole(people, found, scores) == 0
    assert count_whole(people, found[:0], scores[:0]) == 0


def test_the_median_call_after_the_warm_up() -> None:
    calls = []
    assert time_call(calls.append, 1, repeats=5, warm_up=2) >= 0
    assert calls == [1] * 7


def test_rows_compare_with_others() -> None:
    empty = np.zeros((0, 18, 2)), np.zeros((0, 18))
    (targets,) = measure_targets([3], 1, 0, dict(idle=lambda: lambda people: None))
    (decode,) = measure_decode([2], 1, 0, dict(blind=lambda: lambda *maps: empty), images=2, apart=True)
    assert targets['idle ratio'] == targets['idle ms'] / targets['ours ms'] < 1
    assert decode['ours whole %'] == 100
    assert decode['blind whole %'] == 0


def test_memory_is_in_mebibytes() -> None:
    assert 50 < peak_memory() < 200_000
