from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classicpose.paf import Candidates, Connections, DecodeSettings, Peaks, match_one_to_one, score_limbs

PAIRS = [(0, 1), (1, 2)]
PLAIN = DecodeSettings(pass_ratio=0.8, part_evidence=False, short_limb=0, peak_threshold=0)


def score(
    pafs: np.ndarray, peaks: Peaks, limbs: list[tuple[int, int]] = PAIRS[:1], stride: float = 1, **changes: object
) -> Candidates:
    return score_limbs(pafs, peaks, limbs, stride, replace(PLAIN, **changes))


def peaks_at(*keypoints: list[tuple[float, float]]) -> Peaks:
    keypoint = np.repeat(np.arange(len(keypoints)), [len(points) for points in keypoints])
    xy = np.array([point for points in keypoints for point in points], dtype=float).reshape(-1, 2)
    return Peaks(keypoint, xy, np.ones(len(keypoint)))


def test_middles_are_of_all_pairs_in_order() -> None:
    """The field is 1, 2, 3, ... from column to column, so the middle of a pair tells which pair it is."""
    pafs = np.zeros((4, 4, 8))
    pafs[[0, 2]] = np.arange(8)
    peaks = peaks_at([(0, 1), (1, 1)], [(2, 1)], [(3, 1), (5, 1), (7, 1)])
    middle = score(pafs, peaks, PAIRS).middle
    np.testing.assert_allclose(middle, [1, 1.5, 2.5, 3.5, 4.5])


def test_field_along_a_line_against_a_linear_field() -> None:
    """On a field that is linear in x and y bilinear samples are exact, and their mean is the value in the middle."""
    rows, columns = np.mgrid[:20, :30].astype(float)
    pafs = np.stack([0.1 * columns + 0.2 * rows, 0.3 * columns + 0.05 * rows])
    start, end = np.array([2.3, 4.7]), np.array([21.9, 15.2])
    found = score(pafs, peaks_at([tuple(start)], [tuple(end)]), samples=11)
    direction = (end - start) / np.linalg.norm(end - start)
    middle = (start + end) / 2
    expected = direction @ [0.1 * middle[0] + 0.2 * middle[1], 0.3 * middle[0] + 0.05 * middle[1]]
    np.testing.assert_allclose([found.limbs.score[0], found.middle[0]], expected, rtol=1e-6)


def test_samples_by_length_as_in_openpose() -> None:
    """A field of one row: how many of the samples of a vertical line it catches tells how many there are.

    A line of 80 pixels gets sqrt(5 * 80) = 20 samples, one of 10 pixels sqrt(50) = 7 and one of a pixel at least 5.
    """
    for pixels, count in [(80, 20), (10, 7), (1, 5), (2000, 25)]:
        pafs = np.zeros((2, 4, 3))
        pafs[1, 0] = count  # only the first sample, at the start, is on this row
        peaks = peaks_at([(1, 0)], [(1, 3)])
        found = score(pafs, peaks, stride=pixels / 3, samples=None, paf_threshold=0.5, pass_ratio=0.0)
        weights = np.maximum(1 - 3 * np.arange(count) / (count - 1), 0)
        np.testing.assert_allclose(found.limbs.score, [weights.sum()], rtol=1e-6)


def test_heights_of_the_ends_count_with_part_evidence() -> None:
    pafs = np.ones((2, 9, 9))
    peaks = peaks_at([(1, 5)], [(8, 5)])._replace(score=np.array([0.9, 0.4]))
    assert score(pafs, peaks, part_evidence=True).limbs.score == pytest.approx([0.6])


def test_low_peaks_become_no_limbs() -> None:
    peaks = peaks_at([(1, 5)], [(8, 5)])._replace(score=np.array([0.9, 0.4]))
    found = score(np.ones((2, 9, 9)), peaks, peak_threshold=0.4)
    assert len(found.limbs.limb) == 0
    assert found.middle == pytest.approx([1])


def test_backwards_limbs_are_refused() -> None:
    pafs = np.zeros((2, 10, 10))
    pafs[0] = 1
    forwards = score(pafs, peaks_at([(1, 5)], [(8, 5)]))
    backwards = score(pafs, peaks_at([(8, 5)], [(1, 5)]))
    assert forwards.limbs.score.tolist() == [1]
    assert len(backwards.limbs.limb) == 0


def test_long_limbs_lose_score_as_in_the_original() -> None:
    """Score + min(0.5 * H / length - 1, 0) with H = 10 cells: 1 + 5 / 8 - 1."""
    pafs = np.zeros((2, 10, 10))
    pafs[0] = 1
    found = score(pafs, peaks_at([(1, 5)], [(9, 5)]), length_prior=True)
    np.testing.assert_allclose(found.limbs.score, [5 / 8])


def test_mean_of_passing_samples_only() -> None:
    pafs = np.zeros((2, 3, 11))
    pafs[0, :, :9] = 0.5
    peaks = peaks_at([(0, 1)], [(10, 1)])
    everything = score(pafs, peaks, samples=11)
    passing = score(pafs, peaks, samples=11, mean_of_passing=True)
    np.testing.assert_allclose([everything.limbs.score[0], passing.limbs.score[0]], [4.5 / 11, 0.5])
    assert len(score(pafs, peaks, samples=11, pass_ratio=0.82).limbs.limb) == 0


def test_ends_closer_than_a_cell_are_joined_without_a_field() -> None:
    peaks = peaks_at([(4, 4)], [(4.5, 4)])
    nothing = np.zeros((2, 9, 9))
    assert score(nothing, peaks, short_limb=1.0).limbs.score.tolist() == [0.05]
    assert len(score(nothing, peaks).limbs.limb) == 0


@pytest.mark.parametrize('seed', range(30))
def test_the_choice_is_greedy(seed: int) -> None:
    """Against the textbook: sort by score, take a pair if neither end is used."""
    rng = np.random.default_rng(seed)
    pairs = np.array([(limb, start, end) for limb in (0, 1) for start in range(9) for end in range(9, 16)])
    pairs = Connections(*pairs.T, rng.random(len(pairs))).take(rng.random(len(pairs)) > 0.3)
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
    assert len(score(np.ones((4, 5, 5)), peaks_at([(1, 1)], [], []), PAIRS).limbs.limb) == 0
