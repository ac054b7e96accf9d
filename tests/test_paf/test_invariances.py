"""What holds for any people and any maps: formulas cell by cell, shifts, mirrors, nonsense, the greedy choice."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from crowds import STRIDE, Maps, People, assert_same_people, crowd, draw, smooth_noise
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from people import UPRIGHT
from scipy.optimize import linear_sum_assignment

from custom_modules.codecs import PartAffinityField
from custom_modules.paf import (
    DECODERS,
    Connections,
    affinity_fields,
    decode_people,
    find_peaks,
    flip_maps,
    gaussian_heatmaps,
    match_one_to_one,
    pixels_to_cells,
    score_limbs,
)
from custom_modules.skeletons import COCO17, OPENPOSE18, Skeleton

DEFAULT = DECODERS['default']
PARTS = len(OPENPOSE18.keypoints)
SIGMA, WIDTH = 7.0, 8.0
# One keypoint alone, limbs that share an end, and one from a keypoint to itself.
LIMBS = [(0, 1), (1, 2), (2, 0), (1, 1)]
NECK = OPENPOSE18.keypoints.index('neck')
LAST_PARTS = [
    OPENPOSE18.keypoints.index(f'{side}_{keypoint}') for side in ('left', 'right') for keypoint in ('wrist', 'ankle')
]

seeds = st.integers(0, 2**32 - 1)
# Quarters of pixels are exact in floating point, at strides that are powers of two.
quarters = st.integers(-480, 960).map(lambda value: value / 4)
strides = st.sampled_from([2, 4, 8])
grids = st.tuples(st.integers(1, 24), st.integers(1, 20))


def property_test(examples: int = 40) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


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


def mirror_people(keypoints: np.ndarray, width: float, skeleton: Skeleton) -> np.ndarray:
    return (keypoints * [-1, 1] + [width - 1, 0])[:, skeleton.flip_indices]


def spoilt(seed: int, people: np.ndarray, visible: np.ndarray, cells: tuple[int, int], quiet: int = 0) -> Maps:
    """Maps with some noise, none in the outer ``quiet`` cells, so that a hundred low peaks lie about."""
    rng = np.random.default_rng(seed)
    inner = np.pad(np.ones((cells[1] - 2 * quiet, cells[0] - 2 * quiet)), quiet)
    return tuple(
        maps + (strength * inner * smooth_noise(maps.shape, rng)).astype(np.float32)
        for maps, strength in zip(draw(people, visible, cells), (0.03, 0.1), strict=True)
    )


def decode(maps: Maps) -> People:
    return decode_people(*maps, OPENPOSE18, STRIDE, DEFAULT)


@property_test(25)
@given(seeds, st.integers(1, 5), st.booleans())
def test_mirrored_maps_give_mirrored_people(seed: int, count: int, noisy: bool) -> None:
    people, visible = crowd(count, np.random.default_rng(seed), (80, 220), outside=0.3, missing=0.1, size=(320, 240))
    maps = spoilt(seed, people, visible, (40, 30)) if noisy else draw(people, visible, (40, 30))
    keypoints, scores, instance_scores = decode(maps)
    assert len(keypoints) > 0
    mirrored = mirror_people(keypoints, 320, OPENPOSE18)
    mirrored[scores[:, OPENPOSE18.flip_indices] == 0] = 0
    expected = mirrored, scores[:, OPENPOSE18.flip_indices], instance_scores
    assert_same_people(decode(flip_maps(*maps, OPENPOSE18)), expected)


@property_test(25)
@given(seeds, st.integers(1, 5), st.booleans(), arrays(int, (2, 2), elements=st.integers(0, 7)))
def test_an_empty_border_only_moves_people(seed: int, count: int, noisy: bool, border: np.ndarray) -> None:
    people, visible = crowd(count, np.random.default_rng(seed), (80, 180), missing=0.1, size=(272, 192))
    people, cells = people + 24, (40, 30)
    maps = spoilt(seed, people, visible, cells, quiet=2) if noisy else draw(people, visible, cells)
    keypoints, scores, instance_scores = decode(maps)
    assert len(keypoints) > 0
    moved = np.where(scores[..., None] > 0, keypoints + STRIDE * border[::-1, 0], 0)
    bordered = tuple(np.pad(map_, ((0, 0), *border)) for map_ in maps)
    assert_same_people(decode(bordered), (moved, scores, instance_scores))


@property_test(50)
@given(
    grids,
    seeds,
    st.sampled_from(['constant', 'noise', 'smooth noise', 'people']),
    st.sampled_from([-1.0, 0.0, 0.01, 0.5, 1.0, 1e6]),
    st.sampled_from([-1.0, 0.0, 0.1, 1.0, 1e6]),
    st.sampled_from([0.0, 0.0, 0.02, 1.0]),
    st.sampled_from([0.0, 0.0, 0.02, 1.0]),
)
@example((1, 1), 0, 'constant', 1.0, 1.0, 0.0, 0.0)
def test_nonsense_is_decoded_to_something_finite(
    cells: tuple[int, int], seed: int, kind: str, height: float, field: float, no_height: float, no_field: float
) -> None:
    """Constants, noise, and people in maps of any scale, with NaN nowhere, here and there, and everywhere."""
    rng = np.random.default_rng(seed)
    shapes = [(PARTS + 1, *cells[::-1]), (2 * len(OPENPOSE18.limbs), *cells[::-1])]
    if kind == 'constant':
        maps = [np.ones(shape) for shape in shapes]
    elif kind == 'noise':
        maps = [rng.normal(size=shape) for shape in shapes]
    elif kind == 'smooth noise':
        maps = [smooth_noise(shape, rng) if min(cells) > 4 else np.zeros(shape) for shape in shapes]
    else:
        maps = draw(*crowd(3, rng, (60, 300), outside=0.5, size=(8 * cells[0], 8 * cells[1])), cells)
    maps = [map_ * scale for map_, scale in zip(maps, (height, field), strict=True)]
    for map_, share in zip(maps, (no_height, no_field), strict=True):
        map_[rng.random(map_.shape) < share] = np.nan
    found = decode((maps[0], maps[1]))
    assert_well_formed(found, cells)
    if height <= 0 and kind in ('constant', 'people') or no_height == 1:
        assert len(found[0]) == 0


def assert_well_formed(people: People, cells: tuple[int, int]) -> None:
    keypoints, scores, instance_scores = people
    count = len(instance_scores)
    assert keypoints.shape == (count, PARTS, 2)
    assert scores.shape == (count, PARTS)
    assert all(values.dtype == np.float32 and np.isfinite(values).all() for values in people)
    assert (scores >= 0).all()
    assert (keypoints[scores == 0] == 0).all()
    there = keypoints[scores > 0]
    assert (there >= STRIDE / 2 - 0.5).all()
    assert (there <= np.array(cells) * STRIDE - STRIDE / 2 - 0.5).all()
    assert ((scores > 0).sum(axis=1) >= DEFAULT.min_parts).all()
    assert (instance_scores >= 0).all()
    assert (np.diff(instance_scores) <= 0).all()


@property_test()
@given(seeds, st.integers(0, 12), st.floats(0, 1), st.booleans())
def test_whatever_is_found_is_well_formed(seed: int, count: int, missing: float, noisy: bool) -> None:
    people, visible = crowd(count, np.random.default_rng(seed), (60, 280), 0.7, missing, size=(320, 240))
    maps = spoilt(seed, people, visible, (40, 30)) if noisy else draw(people, visible, (40, 30))
    found = decode((maps[0].clip(0, 1), maps[1] / np.maximum(np.hypot(maps[1][::2], maps[1][1::2]), 1).repeat(2, 0)))
    assert_well_formed(found, (40, 30))
    assert found[1].max(initial=0) <= 1
    assert found[2].max(initial=0) <= 1


@property_test(50)
@given(seeds, st.sampled_from([keypoint for keypoint in range(PARTS) if keypoint != NECK]), st.floats(60, 300))
def test_two_people_who_share_a_peak_are_both_found(seed: int, keypoint: int, angle: float) -> None:
    """One is the other turned around a keypoint that both have at the same place.

    The limbs of both end in one peak, so what hangs on it may come to one of the two alone; of a wrist or an ankle
    nothing hangs, and both get it.
    """
    rng = np.random.default_rng(seed)
    heights = rng.uniform(180, 300, 2)
    one, other = (height * (UPRIGHT - UPRIGHT[keypoint]) for height in heights)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    people = np.array([one, other @ [[cos, sin], [-sin, cos]]])
    people += rng.uniform(24, 60, 2) - people.min(axis=(0, 1))
    cells = tuple(np.ceil(people.max(axis=(0, 1)) / STRIDE).astype(int) + 4)
    maps = draw(people, np.ones((2, PARTS)), cells)
    assert (find_peaks(maps[0][:-1], DEFAULT.peak_threshold).keypoint == keypoint).sum() == 1
    hits = keypoints_found(decode(maps), people, STRIDE / 2)
    assert (hits.sum(axis=1) >= PARTS / 2).all()
    if keypoint in LAST_PARTS:
        assert hits.all()


def keypoints_found(found: People, people: np.ndarray, pixels: float) -> np.ndarray:
    """(N, K) which keypoints of each person were found, by one of the found people for each."""
    keypoints, scores, _ = found
    near = (np.linalg.norm(keypoints - people[:, None], axis=-1) < pixels) & (scores > 0)
    rows, columns = linear_sum_assignment(near.sum(axis=2), maximize=True)
    hits = np.zeros(people.shape[:2], dtype=bool)
    hits[rows] = near[rows, columns]
    return hits


@property_test(50)
@given(seeds, st.sampled_from(['left', 'right', 'top', 'bottom']), st.floats(0.1, 0.6))
def test_of_people_cut_by_the_border_the_parts_inside_are_found(seed: int, side: str, share: float) -> None:
    """All that hang together within the image, a cell or more from its border, to a pixel."""
    rng = np.random.default_rng(seed)
    person = UPRIGHT * rng.uniform(150, 280)
    person += rng.normal(0, 2, person.shape)
    size = np.array([320, 320])
    low, high = person.min(axis=0), person.max(axis=0)
    corner = rng.uniform(16, size - 16 - (high - low))
    axis = 0 if side in ('left', 'right') else 1
    cut = share * (high - low)[axis]
    corner[axis] = -cut if side in ('left', 'top') else size[axis] - 1 - (high - low)[axis] + cut
    person += corner - low
    inside = ((person > 1.5 * STRIDE) & (person < size - 1.5 * STRIDE)).all(axis=1)
    together = largest_group(inside)
    found = decode(draw(person[None], np.ones((1, PARTS)), (40, 40)))
    assert_well_formed(found, (40, 40))
    if together.sum() >= DEFAULT.min_parts:
        near = (np.linalg.norm(found[0] - person, axis=-1) < 1) & (found[1] > 0)
        assert (near | ~together).all(axis=1).any()


def largest_group(inside: np.ndarray) -> np.ndarray:
    """(K,) of the keypoints that are inside, the most that limbs between them hold together."""
    group = np.where(inside, np.arange(PARTS), -1)
    for _ in range(PARTS):
        for kind, (start, end) in enumerate(OPENPOSE18.limbs):
            if inside[start] and inside[end] and kind not in OPENPOSE18.extending_limbs:
                group[[start, end]] = group[[start, end]].max()
    names, counts = np.unique(group[inside], return_counts=True)
    return group == names[counts.argmax()] if len(names) else inside


def best_choice(candidates: Connections) -> Connections:
    """Of each kind the limbs, no end in two of them, whose scores have the largest sum."""
    chosen = []
    for kind in np.unique(candidates.limb):
        index = np.flatnonzero(candidates.limb == kind)
        starts, rows = np.unique(candidates.start[index], return_inverse=True)
        ends, columns = np.unique(candidates.end[index], return_inverse=True)
        which = np.full((len(starts), len(ends)), -1)
        which[rows, columns] = index
        scores = np.where(which < 0, 0, candidates.score[which])
        pairs = which[linear_sum_assignment(scores, maximize=True)]
        chosen.extend(pairs[pairs >= 0])
    return candidates.take(np.array(chosen))


def test_the_greedy_choice_is_nearly_the_best(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """Twenty people one over the other: few limbs differ from the optimum's, and little score is lost."""
    chosen, different, score, best_score = 0, 0, 0.0, 0.0
    whole = {match_one_to_one: 0, best_choice: 0}
    for seed in range(5):
        people, visible = crowd(20, np.random.default_rng(seed))
        maps = draw(people, visible)
        candidates = limb_candidates(maps)
        greedy, best = (choose(candidates) for choose in whole)
        limbs, best_limbs = (set(zip(*choice[:3], strict=True)) for choice in (greedy, best))
        chosen, different = chosen + len(limbs), different + len(limbs - best_limbs)
        score, best_score = score + greedy.score.sum(), best_score + best.score.sum()
        for choose in whole:
            monkeypatch.setattr('custom_modules.paf.decode.match_one_to_one', choose)
            whole[choose] += keypoints_found(decode(maps), people, STRIDE).all(axis=1).sum()
    results = dict(
        limbs_that_differ=different / chosen,
        share_of_the_best_score=score / best_score,
        people_whole=whole[match_one_to_one] / 100,
        people_whole_with_the_best=whole[best_choice] / 100,
    )
    for name, value in results.items():
        record_property(name, float(value))
    print(', '.join(f'{name} {value:.4f}' for name, value in results.items()))
    assert chosen > 0.8 * 5 * 20 * len(OPENPOSE18.limbs)
    assert 0.99 <= score / best_score <= 1 + 1e-9
    assert different < 0.1 * chosen
    assert whole[match_one_to_one] > 0.75 * whole[best_choice] > 25


def limb_candidates(maps: Maps) -> Connections:
    """Those that the default decoder chooses from."""
    return score_limbs(
        maps[1],
        find_peaks(maps[0][:-1], DEFAULT.lowest_peak),
        OPENPOSE18.limbs,
        DEFAULT.samples,
        DEFAULT.paf_threshold,
        DEFAULT.pass_ratio,
        part_evidence=DEFAULT.part_evidence,
        short_limb=DEFAULT.short_limb / STRIDE,
        peak_threshold=DEFAULT.peak_threshold,
    ).limbs
