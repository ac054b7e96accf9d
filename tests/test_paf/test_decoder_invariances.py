"""What holds for the people found in any maps: mirrors, borders, nonsense, shared peaks, the greedy choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from crowds import STRIDE, Maps, People, assert_same_people, crowd, draw, smooth_noise
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from people import UPRIGHT
from properties import grids, mirror_people, property_test, seeds
from scipy.optimize import linear_sum_assignment

from classicpose.paf import DECODERS, Connections, decode_people, find_peaks, flip_maps, match_one_to_one, score_limbs
from classicpose.skeletons import OPENPOSE18

DEFAULT = DECODERS['default']
PARTS = len(OPENPOSE18.keypoints)
NECK = OPENPOSE18.keypoints.index('neck')
LAST_PARTS = [
    OPENPOSE18.keypoints.index(f'{side}_{keypoint}') for side in ('left', 'right') for keypoint in ('wrist', 'ankle')
]


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
    mirrored[~keypoints.any(axis=-1)[:, OPENPOSE18.flip_indices]] = 0
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
    moved = np.where(keypoints.any(axis=-1, keepdims=True), keypoints + STRIDE * border[::-1, 0], 0)
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
    there = keypoints[(scores > 0) | keypoints.any(axis=-1)]
    assert (there >= STRIDE / 2 - 0.5).all()
    assert (there <= np.array(cells) * STRIDE - STRIDE / 2 - 0.5).all()
    assert ((scores > 0).sum(axis=1) >= DEFAULT.min_parts).all()
    # People may guess the same keypoint, but nobody else finds it.
    for places, found in zip(keypoints.swapaxes(0, 1), scores.T > 0, strict=True):
        assert len(np.unique(places[found], axis=0)) == found.sum()
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
    assert (find_peaks(maps[0][:-1], STRIDE, DEFAULT).keypoint == keypoint).sum() == 1
    hits = keypoints_found(decode(maps), people, STRIDE / 2)
    assert (hits.sum(axis=1) >= PARTS / 2).all()
    if keypoint in LAST_PARTS:
        assert hits.all()


@pytest.mark.parametrize(('height', 'guessed'), [(0.0025, True), (0.0015, False)])
def test_a_faint_keypoint_is_guessed_where_it_is_and_not_found(height: float, guessed: bool) -> None:
    person, wrist = UPRIGHT * 250 + [60, 30], OPENPOSE18.keypoints.index('left_wrist')
    heatmaps, pafs = draw(person[None], np.ones((1, PARTS)), (40, 40))
    heatmaps[wrist] *= height / heatmaps[wrist].max()
    keypoints, scores, _ = decode((heatmaps, pafs))
    assert (scores[0] == 0).nonzero()[0].tolist() == [wrist]
    np.testing.assert_allclose(keypoints[0, wrist], person[wrist] if guessed else 0, atol=0.5)


def keypoints_found(found: People, people: np.ndarray, pixels: float) -> np.ndarray:
    """(N, K) which keypoints of each person were found or guessed, by one of the found people for each."""
    near = np.linalg.norm(found[0] - people[:, None], axis=-1) < pixels
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
            monkeypatch.setattr('classicpose.paf.decode.match_one_to_one', choose)
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
    peaks = find_peaks(maps[0][:-1], STRIDE, DEFAULT)
    return score_limbs(maps[1], peaks, OPENPOSE18.limbs, STRIDE, DEFAULT).limbs
