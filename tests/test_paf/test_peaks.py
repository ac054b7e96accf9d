from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classicpose.paf import DecodeSettings, Peaks, find_peaks, gaussian_heatmaps, pixels_to_cells


def one_map(*points: tuple[float, float], size: tuple[int, int] = (16, 12)) -> np.ndarray:
    """The heatmap of one keypoint, for people whose keypoint is at these input pixels, stride 8, sigma 7."""
    keypoints = np.array(points, dtype=float).reshape(-1, 1, 2)
    return gaussian_heatmaps(keypoints, np.ones((len(points), 1)), size, 8, 7.0)[:1]


def peaks_of(heatmaps: np.ndarray, stride: float = 8, **changes: object) -> Peaks:
    return find_peaks(heatmaps, stride, replace(DecodeSettings(peak_threshold=0.1, hint_threshold=None), **changes))


@pytest.mark.parametrize('seed', range(20))
def test_parabola_is_exact_for_a_gaussian(seed: int) -> None:
    point = np.random.default_rng(seed).uniform((12, 12), (112, 80))
    peaks = peaks_of(one_map(point))
    np.testing.assert_allclose(peaks.xy, pixels_to_cells(point, 8)[None], atol=1e-5)


@pytest.mark.parametrize('subpixel', ['none', 'parabola', 'centroid'])
def test_every_refinement_stays_within_a_cell(subpixel: str) -> None:
    for seed in range(20):
        point = np.random.default_rng(seed).uniform((30, 30), (98, 66))
        peaks = peaks_of(one_map(point), subpixel=subpixel)
        assert np.abs(peaks.xy - pixels_to_cells(point, 8)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize('neighbours', [4, 8])
def test_a_plateau_is_one_peak(neighbours: int) -> None:
    """Halfway between cells two or four of them are equally high."""
    for point in [(31.5, 27.5), (27.5, 31.5), (31.5, 31.5)]:
        peaks = peaks_of(one_map(point), neighbours=neighbours)
        assert len(peaks.keypoint) == 1
        np.testing.assert_allclose(peaks.xy[0], pixels_to_cells(np.array(point), 8), atol=1e-6)


def test_a_peak_at_the_border_keeps_its_cell() -> None:
    peaks = peaks_of(one_map((0, 40)))
    np.testing.assert_allclose(peaks.xy, [[0, pixels_to_cells(np.array(40.0), 8)]], atol=1e-6)


def test_order_scores_and_threshold() -> None:
    maps = np.zeros((3, 8, 8), dtype=np.float32)
    maps[2, 3, 4], maps[0, 5, 1], maps[0, 1, 6] = 0.9, 0.3, 0.1
    peaks = peaks_of(maps, subpixel='none')
    assert peaks.keypoint.tolist() == [0, 2]
    assert peaks.xy.tolist() == [[1, 5], [4, 3]]
    np.testing.assert_allclose(peaks.score, [0.3, 0.9], rtol=1e-6)


def test_diagonal_neighbours_count_only_among_eight() -> None:
    maps = np.zeros((1, 8, 8), dtype=np.float32)
    maps[0, 3, 3], maps[0, 4, 4] = 0.8, 0.9
    assert len(peaks_of(maps, neighbours=8).keypoint) == 1
    assert len(peaks_of(maps, neighbours=4).keypoint) == 2


def test_of_close_peaks_of_a_part_the_higher_stays() -> None:
    maps = np.zeros((2, 8, 8), dtype=np.float32)
    maps[0, 1, 1], maps[0, 1, 3], maps[0, 6, 6], maps[1, 1, 2] = 0.8, 0.9, 0.7, 0.6
    peaks = peaks_of(maps, subpixel='none', peak_distance=20)
    assert peaks.keypoint.tolist() == [0, 0, 1]
    assert peaks.xy.tolist() == [[3, 1], [6, 6], [2, 1]]


def test_the_highest_of_too_many_are_kept_in_order() -> None:
    maps = np.random.default_rng(0).random((3, 40, 40)).astype(np.float32)
    everything, few = peaks_of(maps), peaks_of(maps, max_peaks=20)
    for keypoint in range(3):
        highest = np.sort(everything.score[everything.keypoint == keypoint])[-20:]
        np.testing.assert_array_equal(np.sort(few.score[few.keypoint == keypoint]), highest)
    kept = np.isin(everything.score, few.score)
    assert few.xy.tolist() == everything.xy[kept].tolist()


@pytest.mark.parametrize('filling', [0.0, np.nan, -1.0])
def test_maps_without_a_peak(filling: float) -> None:
    peaks = peaks_of(np.full((2, 6, 7), filling, dtype=np.float32))
    assert len(peaks.keypoint) == 0
    assert peaks.xy.shape == (0, 2)
