"""What holds for any people's maps: formulas cell by cell, order, shifts, mirrors."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from crowds import STRIDE, Maps, crowd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from properties import grids, mirror_people, property_test, seeds, strides

from classicpose.paf import affinity_fields, flip_maps, gaussian_heatmaps, pixels_to_cells
from classicpose.skeletons import COCO17, OPENPOSE18
from custom_modules.codecs import PartAffinityField

PARTS = len(OPENPOSE18.keypoints)
SIGMA, WIDTH = 7.0, 8.0
# One keypoint alone, limbs that share an end, and one from a keypoint to itself.
LIMBS = [(0, 1), (1, 2), (2, 0), (1, 1)]

# Quarters of pixels are exact in floating point, at strides that are powers of two.
quarters = st.integers(-480, 960).map(lambda value: value / 4)


@st.composite
def some_people(draw_value: st.DrawFn, columns: int = 3, most: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Nobody, a few or sixty; on and off the image; often on cell centres, above or beside one another."""
    count = draw_value(st.sampled_from([*range(most + 1), 60]))
    if count == 60:
        rng = np.random.default_rng(draw_value(seeds))
        return rng.integers(-480, 960, (60, columns, 2)) / 4, rng.integers(0, 3, (60, columns)).astype(float)
    coordinates = st.one_of(quarters, st.integers(-15, 30).map(lambda cell: 8 * cell + 3.5))
    keypoints = draw_value(arrays(float, (count, columns, 2), elements=coordinates))
    aligned = draw_value(st.sampled_from(['no', 'horizontal', 'vertical', 'diagonal', 'one point']))
    if aligned == 'horizontal':
        keypoints[..., 1] = keypoints[:, :1, 1]
    elif aligned == 'vertical':
        keypoints[..., 0] = keypoints[:, :1, 0]
    elif aligned == 'diagonal':
        keypoints[..., 1] = keypoints[..., 0] + (keypoints[:, :1, 1] - keypoints[:, :1, 0])
    elif aligned == 'one point':
        keypoints[:] = keypoints[:, :1]
    return keypoints, draw_value(arrays(float, (count, columns), elements=st.sampled_from([0.0, 1.0, 2.0, 0.5])))


def heatmap_formula(
    keypoints: np.ndarray, visible: np.ndarray, cells: tuple[int, int], stride: float, sigma: float
) -> np.ndarray:
    """exp(-d^2 / (2 sigma^2)) in pixels, the maximum over people, and 1 - the maximum over keypoints."""
    x, y = np.meshgrid(*(stride * np.arange(count) + stride / 2 - 0.5 for count in cells))
    maps = np.zeros((keypoints.shape[1] + 1, cells[1], cells[0]))
    for person, keypoint in np.argwhere(visible > 0):
        squared = (x - keypoints[person, keypoint, 0]) ** 2 + (y - keypoints[person, keypoint, 1]) ** 2
        maps[keypoint] = np.maximum(maps[keypoint], np.exp(-squared / (2 * sigma**2)))
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return maps


def field_formula(
    keypoints: np.ndarray, visible: np.ndarray, cells: tuple[int, int], stride: float, width: float, slack: float = 0.0
) -> np.ndarray:
    """Means of unit vectors on the limbs, in cells; limbs wider and longer by ``slack`` on all sides."""
    x, y = np.meshgrid(*(np.arange(count, dtype=float) for count in cells))
    joints = pixels_to_cells(keypoints, stride)
    fields = np.zeros((2 * len(LIMBS), cells[1], cells[0]))
    for kind, (start, end) in enumerate(LIMBS):
        count = np.zeros(cells[::-1])
        for person in np.flatnonzero((visible[:, start] > 0) & (visible[:, end] > 0)):
            axis = joints[person, end] - joints[person, start]
            length = np.hypot(*axis)
            if length == 0:
                continue
            axis = axis / length
            away_x, away_y = x - joints[person, start, 0], y - joints[person, start, 1]
            along = axis[0] * away_x + axis[1] * away_y
            across = np.abs(axis[0] * away_y - axis[1] * away_x)
            on_limb = (along >= -slack) & (along <= length + slack) & (across <= width / stride + slack)
            fields[2 * kind : 2 * kind + 2] += axis[:, None, None] * on_limb
            count += on_limb
        fields[2 * kind : 2 * kind + 2] /= np.maximum(count, 1)
    return fields


@property_test(50)
@given(some_people(), grids, strides, st.sampled_from([1.5, 7.0, 20.0]))
def test_heatmaps_are_the_formula(
    people: tuple[np.ndarray, np.ndarray], cells: tuple[int, int], stride: int, sigma: float
) -> None:
    """Less than 1e-5 may be left out."""
    maps = gaussian_heatmaps(*people, cells, stride, sigma)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    np.testing.assert_allclose(maps, heatmap_formula(*people, cells, stride, sigma), rtol=0, atol=1.01e-5)


@property_test(50)
@given(some_people(), grids, strides, st.sampled_from([0.0, 2.0, 4.0, 8.0, 5.3]))
def test_fields_are_the_formula(
    people: tuple[np.ndarray, np.ndarray], cells: tuple[int, int], stride: int, width: float
) -> None:
    """Cells within a rounding error of an edge may count or not."""
    fields = affinity_fields(*people, LIMBS, cells, stride, width)
    assert fields.dtype == np.float32
    assert (np.hypot(fields[::2], fields[1::2]) <= 1 + 1e-6).all()
    wider, narrower = (field_formula(*people, cells, stride, width, slack) for slack in (1e-9, -1e-9))
    clear = wider == narrower
    np.testing.assert_allclose(fields[clear], wider[clear], rtol=0, atol=1e-5)


@property_test(50)
@given(
    st.integers(-40, 240),
    st.integers(-40, 240),
    st.sampled_from([(1, 0), (0, 1), (-1, 0), (0, -1)]),
    st.integers(1, 160),
    st.integers(0, 6),
    grids,
    strides,
)
def test_edges_of_upright_and_level_limbs_belong_to_them(
    x: int, y: int, direction: tuple[int, int], length: int, reach: int, cells: tuple[int, int], stride: int
) -> None:
    """Cells exactly at the ends and sides, where nothing is rounded: on the limb, all of them."""
    x, y, length, width = (stride / 4 * value for value in (x, y, length, 4 * reach))
    start = np.array([x, y]) + stride / 2 - 0.5
    keypoints = np.array([[start, start + length * np.array(direction), start]])
    fields = affinity_fields(keypoints, np.ones((1, 3)), LIMBS, cells, stride, width)
    np.testing.assert_array_equal(fields, field_formula(keypoints, np.ones((1, 3)), cells, stride, width))


@pytest.mark.parametrize('direction', [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_edges_of_diagonal_limbs(direction: tuple[int, int]) -> None:
    """A limb over ten cells and one cell of the other diagonal to either side: its corners are cells."""
    start = np.array([11, 11]) * STRIDE + 3.5
    keypoints = np.array([[start, start + 10 * STRIDE * np.array(direction)]])
    field = affinity_fields(keypoints, np.ones((1, 2)), [(0, 1)], (23, 23), STRIDE, np.sqrt(2) * STRIDE * (1 + 1e-12))
    along, across = (np.zeros((23, 23)) for _ in range(2))
    for row, column in np.ndindex(23, 23):
        right, down = (column - 11) * direction[0], (row - 11) * direction[1]
        along[row, column], across[row, column] = right + down, abs(right - down)
    # Whether the last row of cells, where along is 20, is on it is up to the rounding of its length.
    on_limb = (along >= 0) & (along < 20) & (across <= 2)
    outside = (along < 0) | (along > 20) | (across > 2)
    np.testing.assert_allclose(field[:, on_limb].T, np.tile(np.array(direction) / np.sqrt(2), (on_limb.sum(), 1)))
    assert on_limb.sum() == 10 * 3 + 10 * 2
    assert not field[:, outside].any()


def small_maps(keypoints: np.ndarray, visible: np.ndarray, cells: tuple[int, int], stride: int) -> Maps:
    return (
        gaussian_heatmaps(keypoints, visible, cells, stride, SIGMA),
        affinity_fields(keypoints, visible, LIMBS, cells, stride, WIDTH),
    )


@property_test()
@given(some_people(), grids, strides, st.randoms(use_true_random=False))
def test_order_of_people_does_not_matter(
    people: tuple[np.ndarray, np.ndarray], cells: tuple[int, int], stride: int, random: Random
) -> None:
    order = list(range(len(people[0])))
    random.shuffle(order)
    shuffled = [values[order] for values in people]
    heatmaps, pafs = small_maps(*people, cells, stride)
    other_heatmaps, other_pafs = small_maps(*shuffled, cells, stride)
    np.testing.assert_array_equal(heatmaps, other_heatmaps)
    np.testing.assert_allclose(pafs, other_pafs, rtol=0, atol=1e-5)


@property_test()
@given(some_people(), grids, strides, st.integers(0, 12), st.integers(0, 12))
def test_moving_people_by_whole_cells_moves_their_maps(
    people: tuple[np.ndarray, np.ndarray], cells: tuple[int, int], stride: int, right: int, down: int
) -> None:
    keypoints, visible = people
    larger = (cells[0] + right, cells[1] + down)
    plain = small_maps(keypoints, visible, cells, stride)
    moved = small_maps(keypoints + stride * np.array([right, down]), visible, larger, stride)
    for maps, others in zip(plain, moved, strict=True):
        np.testing.assert_array_equal(maps, others[:, down:, right:])


@property_test(25)
@given(some_people(PARTS, most=3), grids, strides)
def test_mirrored_people_have_mirrored_maps(
    people: tuple[np.ndarray, np.ndarray], cells: tuple[int, int], stride: int
) -> None:
    keypoints, visible = people
    mirrored = mirror_people(keypoints, stride * cells[0], OPENPOSE18)
    codec = PartAffinityField((stride * cells[0], stride * cells[1]), cells)
    maps = codec.encode(keypoints, visible)
    other = codec.encode(mirrored, visible[:, OPENPOSE18.flip_indices])
    heatmaps, pafs = flip_maps(maps['heatmaps'], maps['pafs'], OPENPOSE18)
    np.testing.assert_array_equal(heatmaps, other['heatmaps'])
    np.testing.assert_allclose(pafs, other['pafs'], rtol=0, atol=1e-6)


@property_test(25)
@given(seeds)
def test_mirrored_people_have_mirrored_maps_where_limbs_turn_round(seed: int) -> None:
    """COCO's limbs from hip to hip and shoulder to shoulder run the other way in the mirror."""
    assert -1 in COCO17.limb_flip_signs
    people, visible = crowd(3, np.random.default_rng(seed), (60, 220), outside=0.5, missing=0.1, size=(256, 192))
    people, visible = people[:, :17], visible[:, :17]
    codec = PartAffinityField((256, 192), (32, 24), skeleton=COCO17)
    maps = codec.encode(people, visible)
    other = codec.encode(mirror_people(people, 256, COCO17), visible[:, COCO17.flip_indices])
    for flipped, truth in zip(
        flip_maps(maps['heatmaps'], maps['pafs'], COCO17), (other['heatmaps'], other['pafs']), strict=True
    ):
        np.testing.assert_allclose(flipped, truth, rtol=0, atol=1e-5)
