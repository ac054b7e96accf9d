from __future__ import annotations

import numpy as np
import pytest

from custom_modules.paf import Connections, Peaks, connect_limbs
from custom_modules.paf.limbs import candidate_pairs, field_along, match_one_to_one

PAIRS = [(0, 1), (1, 2)]


def peaks_at(*parts: list[tuple[float, float]]) -> Peaks:
    part = np.repeat(np.arange(len(parts)), [len(points) for points in parts])
    xy = np.array([point for points in parts for point in points], dtype=float).reshape(-1, 2)
    return Peaks(part, xy, np.ones(len(part)))


def test_candidates_are_all_pairs_of_a_limbs_parts() -> None:
    peaks = peaks_at([(0, 0), (1, 1)], [(2, 2)], [(3, 3), (4, 4), (5, 5)])
    pairs = candidate_pairs(peaks, PAIRS)
    assert list(zip(pairs.limb, pairs.start, pairs.end, strict=True)) == [
        (0, 0, 2), (0, 1, 2), (1, 2, 3), (1, 2, 4), (1, 2, 5),
    ]  # fmt: skip


def test_field_along_a_line_against_a_linear_field() -> None:
    """On a field that is linear in x and y bilinear samples are exact, and their mean is the value in the middle."""
    rows, columns = np.mgrid[:20, :30].astype(float)
    pafs = np.stack([0.1 * columns - 0.2 * rows, 0.3 * columns + 0.05 * rows])
    start, end = np.array([[2.3, 4.7]]), np.array([[21.9, 15.2]])
    samples, counted = field_along(pafs, np.array([0]), start, end, np.array([11]))
    direction = (end - start)[0] / np.linalg.norm(end - start)
    middle = (start + end)[0] / 2
    expected = direction @ [0.1 * middle[0] - 0.2 * middle[1], 0.3 * middle[0] + 0.05 * middle[1]]
    assert counted.all()
    assert samples.shape == (1, 11)
    np.testing.assert_allclose([samples.mean(), samples[0, 5]], expected)


def test_numbers_of_samples_may_differ() -> None:
    samples, counted = field_along(
        np.ones((2, 9, 9)), np.zeros(2, int), np.zeros((2, 2)), np.array([[4.0, 0], [0, 4]]), np.array([3, 5])
    )
    assert counted.sum(axis=1).tolist() == [3, 5]
    np.testing.assert_allclose(samples[counted], 1)


def test_backwards_limbs_are_refused() -> None:
    pafs = np.zeros((2, 10, 10))
    pafs[0] = 1
    forwards = connect_limbs(pafs, peaks_at([(1, 5)], [(8, 5)]), [(0, 1)], 10, 0.05, 0.8)
    backwards = connect_limbs(pafs, peaks_at([(8, 5)], [(1, 5)]), [(0, 1)], 10, 0.05, 0.8)
    assert forwards.score.tolist() == [1]
    assert len(backwards.limb) == 0


def test_long_limbs_lose_score_as_in_the_original() -> None:
    """Score + min(0.5 * H / length - 1, 0) with H = 10 cells: 1 + 5 / 8 - 1."""
    pafs = np.zeros((2, 10, 10))
    pafs[0] = 1
    found = connect_limbs(pafs, peaks_at([(1, 5)], [(9, 5)]), [(0, 1)], 10, 0.05, 0.8, long_limb=5.0)
    np.testing.assert_allclose(found.score, [5 / 8])


def test_mean_of_passing_samples_only() -> None:
    pafs = np.zeros((2, 3, 11))
    pafs[0, :, :9] = 0.5
    peaks = peaks_at([(0, 1)], [(10, 1)])
    everything = connect_limbs(pafs, peaks, [(0, 1)], 11, 0.05, 0.8)
    passing = connect_limbs(pafs, peaks, [(0, 1)], 11, 0.05, 0.8, mean_of_passing=True)
    np.testing.assert_allclose([everything.score[0], passing.score[0]], [4.5 / 11, 0.5])
    assert len(connect_limbs(pafs, peaks, [(0, 1)], 11, 0.05, 0.82).limb) == 0


def test_ends_closer_than_a_cell_are_joined_without_a_field() -> None:
    peaks = peaks_at([(4, 4)], [(4.5, 4)])
    nothing = np.zeros((2, 9, 9))
    assert connect_limbs(nothing, peaks, [(0, 1)], 10, 0.05, 0.8, short_limb=1.0).score.tolist() == [0.05]
    assert len(connect_limbs(nothing, peaks, [(0, 1)], 10, 0.05, 0.8).limb) == 0


@pytest.mark.parametrize('seed', range(30))
def test_rounds_give_the_greedy_solution(seed: int) -> None:
    """Against the textbook: sort by score, take a pair if neither end is used."""
    rng = np.random.default_rng(seed)
    pairs = candidate_pairs(peaks_at([(0, 0)] * 7, [(0, 0)] * 9, [(0, 0)] * 6), PAIRS)
    pairs = pairs._replace(score=rng.random(len(pairs.limb))).take(rng.random(len(pairs.limb)) > 0.3)
    expected, used = set(), set()
    for index in np.argsort(-pairs.score):
        limb, start, end = pairs.limb[index], pairs.start[index], pairs.end[index]
        if (limb, 'start', start) not in used and (limb, 'end', end) not in used:
            expected.add((limb, start, end))
            used |= {(limb, 'start', start), (limb, 'end', end)}
    chosen = match_one_to_one(pairs)
    assert set(zip(chosen.limb, chosen.start, chosen.end, strict=True)) == expected


def test_no_candidates() -> None:
    nothing = np.zeros(0)
    assert len(match_one_to_one(Connections(*(nothing.astype(int),) * 3, nothing)).limb) == 0
    assert len(connect_limbs(np.ones((4, 5, 5)), peaks_at([(1, 1)], [], []), PAIRS, 10, 0.05, 0.8).limb) == 0
