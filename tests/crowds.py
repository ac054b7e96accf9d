"""Crowds of overlapping people, the maps of them, ideal and spoilt, and how two decodings of them are compared."""

from __future__ import annotations

import numpy as np
from people import UPRIGHT
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from classicpose.paf import affinity_fields, gaussian_heatmaps
from classicpose.skeletons import OPENPOSE18

SIZE, STRIDE, CELLS = (656, 368), 8, (82, 46)
Maps = tuple[np.ndarray, np.ndarray]
People = tuple[np.ndarray, np.ndarray, np.ndarray]


def crowd(
    count: int,
    rng: np.random.Generator,
    heights: tuple[float, float] = (80, 330),
    outside: float = 0.0,
    missing: float = 0.0,
    size: tuple[int, int] = SIZE,
) -> tuple[np.ndarray, np.ndarray]:
    """(count, 18, 2) people of mixed size anywhere in the image, one over the other, and (count, 18) their labels.

    Args:
        outside: the share of a person's box that may lie beyond the border.
        missing: the share of keypoints that are not labelled.
    """
    people = np.zeros((count, len(UPRIGHT), 2))
    for person in people:
        height = rng.uniform(*heights)
        person[:] = UPRIGHT * height + rng.normal(0, 0.02 * height, UPRIGHT.shape)
        low, high = person.min(axis=0), person.max(axis=0)
        margin = outside * (high - low)
        person += rng.uniform(-margin, np.maximum(np.array(size) - 1 - (high - low) + margin, 0)) - low
    return people, (rng.random(people.shape[:2]) >= missing).astype(float)


def draw(people: np.ndarray, visible: np.ndarray, cells: tuple[int, int] = CELLS, stride: int = STRIDE) -> Maps:
    """Ideal maps, sigma 7 and limbs 8 pixels to either side."""
    return (
        gaussian_heatmaps(people, visible, cells, stride, 7.0),
        affinity_fields(people, visible, OPENPOSE18.limbs, cells, stride, 8.0),
    )


def draw_noisily(
    people: np.ndarray,
    visible: np.ndarray,
    rng: np.random.Generator,
    cells: tuple[int, int] = CELLS,
    noise: tuple[float, float] = (0.05, 0.1),
) -> Maps:
    """Every person with a strength of 0.05 to 1, the maps blurred, and noise over heatmaps and fields."""
    heatmaps, pafs = draw(people[:0], visible[:0], cells)
    on_limbs = np.zeros_like(pafs[::2])
    for person, labels in zip(people, visible, strict=True):
        amplitude = rng.uniform(0.05, 1)
        its_heatmaps, its_pafs = draw(person[None], labels[None], cells)
        heatmaps[:-1] = np.maximum(heatmaps[:-1], amplitude * its_heatmaps[:-1])
        pafs += amplitude * its_pafs
        on_limbs += (its_pafs[::2] != 0) | (its_pafs[1::2] != 0)
    pafs /= np.maximum(on_limbs, 1).repeat(2, axis=0)
    return tuple(
        gaussian_filter(maps, (0, 0.5, 0.5)) + strength * smooth_noise(maps.shape, rng)
        for maps, strength in zip((heatmaps, pafs), noise, strict=True)
    )


def smooth_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Of standard deviation 1, with bumps about four cells wide."""
    noise = gaussian_filter(rng.normal(size=shape), (0, 1.5, 1.5))
    return (noise / noise.std()).astype(np.float32)


def assert_same_people(found: People, expected: People, pixels: float = 1e-3, score: float = 1e-5) -> None:
    """The same keypoints and scores, in whatever order people of one score come."""
    assert [values.shape for values in found] == [values.shape for values in expected]
    assert all(np.isfinite(values).all() for values in (*found, *expected))
    rows, others = (
        np.hstack([keypoints.reshape(-1, 2 * scores.shape[1]), scores, instance_scores[:, None]])
        for keypoints, scores, instance_scores in (found, expected)
    )
    order = linear_sum_assignment(np.abs(rows[:, None] - others).sum(axis=2))[1]
    for values, truth, tolerance in zip(found, expected, (pixels, score, score), strict=True):
        np.testing.assert_allclose(values, truth[order], rtol=0, atol=tolerance)
