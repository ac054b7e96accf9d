"""Targets of the released code written out cell by cell, and by hand; test_target_invariances has the paper's."""

from __future__ import annotations

import numpy as np
import pytest
from people import people_apart

from classicpose.paf import affinity_fields, cells_to_pixels, gaussian_heatmaps, pixels_to_cells
from classicpose.skeletons import OPENPOSE18

SIZE, STRIDE, SIGMA, WIDTH = (21, 17), 8, 7.0, 8.0
LIMBS = OPENPOSE18.limbs


def crowd(seed: int, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping people, some cut by the border, with keypoints missing."""
    rng = np.random.default_rng(seed)
    people = people_apart(count, (250, 200), rng) * rng.uniform(0.5, 2) + rng.uniform(-60, 0, (count, 1, 2))
    return people, (rng.random((count, 18)) > 0.2).astype(float)


def centers() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(*(STRIDE * np.arange(size) + STRIDE / 2 - 0.5 for size in SIZE))


def slow_released_heatmaps(keypoints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    x, y = centers()
    maps = np.zeros((19, SIZE[1], SIZE[0]))
    for person, labelled in zip(keypoints, visible, strict=True):
        for keypoint in np.flatnonzero(labelled):
            exponent = ((x - person[keypoint, 0]) ** 2 + (y - person[keypoint, 1]) ** 2) / (2 * SIGMA**2)
            maps[keypoint] += np.where(exponent <= 4.6052, np.exp(-exponent), 0)
    maps = np.minimum(maps, 1)
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return maps


def slow_released_fields(keypoints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    fields = np.zeros((len(LIMBS), 2, SIZE[1], SIZE[0]))
    for person, labelled in zip(keypoints, visible, strict=True):
        for kind, (start, end) in enumerate(LIMBS):
            if not (labelled[start] and labelled[end]):
                continue
            a, b = person[start] / STRIDE, person[end] / STRIDE
            vector = (b - a) / np.linalg.norm(b - a)
            low = [max(int(np.floor(min(p, q) - 1 + 0.5)), 0) for p, q in zip(a, b, strict=True)]
            high = [min(int(np.floor(max(p, q) + 1 + 0.5)), size) for p, q, size in zip(a, b, SIZE, strict=True)]
            for row in range(low[1], high[1]):
                for column in range(low[0], high[0]):
                    if abs(vector[0] * (row - a[1]) - vector[1] * (column - a[0])) <= WIDTH / STRIDE:
                        fields[kind, :, row, column] = vector
    return fields.reshape(-1, SIZE[1], SIZE[0])


@pytest.mark.parametrize('seed', range(5))
def test_released_heatmaps_follow_the_released_code(seed: int) -> None:
    keypoints, visible = crowd(seed)
    maps = gaussian_heatmaps(keypoints, visible, SIZE, STRIDE, SIGMA, released=True)
    np.testing.assert_allclose(maps, slow_released_heatmaps(keypoints, visible), atol=1e-5)


@pytest.mark.parametrize('seed', range(5))
def test_released_fields_follow_the_released_code(seed: int) -> None:
    keypoints, visible = crowd(seed)
    fields = affinity_fields(keypoints, visible, LIMBS, SIZE, STRIDE, WIDTH, released=True)
    np.testing.assert_allclose(fields, slow_released_fields(keypoints, visible), atol=1e-5)


def test_two_crossing_limbs_by_hand() -> None:
    """A limb to the right and one downwards: their means where they cross, (1/2, 1/2)."""
    keypoints = np.array([[[3.5, 27.5], [59.5, 27.5]], [[27.5, 3.5], [27.5, 59.5]]])
    right, down = affinity_fields(keypoints, np.ones((2, 2)), [(0, 1)], (8, 8), 8, 4.0)
    assert right[3].tolist() == [1, 1, 1, 0.5, 1, 1, 1, 1]
    assert down[:, 3].tolist() == [1, 1, 1, 0.5, 1, 1, 1, 1]
    assert right.sum() == down.sum() == 7.5


def test_a_limb_that_leaves_the_image_is_drawn_up_to_its_border() -> None:
    keypoints = np.array([[[27.5, 27.5], [1e5, 27.5]]])
    right, _ = affinity_fields(keypoints, np.ones((1, 2)), [(0, 1)], (8, 8), 8, 4.0)
    assert right[3].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert right.sum() == 5


def test_zero_length_limb_gives_zeros() -> None:
    keypoints = np.full((1, 2, 2), 30.0)
    for released in (False, True):
        assert not affinity_fields(keypoints, np.ones((1, 2)), [(0, 1)], (8, 8), 8, 8.0, released).any()


@pytest.mark.parametrize('position', [np.nan, np.inf, -np.inf, 1e30, -500.0])
def test_parts_that_are_nowhere_leave_no_trace(position: float) -> None:
    keypoints = np.full((1, 18, 2), position)
    maps = gaussian_heatmaps(keypoints, np.ones((1, 18)), SIZE, STRIDE, SIGMA)
    assert not maps[:-1].any()
    assert (maps[-1] == 1).all()
    assert not affinity_fields(keypoints, np.ones((1, 18)), LIMBS, SIZE, STRIDE, WIDTH).any()


def test_cells_and_pixels() -> None:
    assert cells_to_pixels(np.array([[0, 5]]), 8).tolist() == [[3.5, 43.5]]
    assert pixels_to_cells(np.array([[3.5, 43.5]]), 8).tolist() == [[0, 5]]
