"""Encode, then decode: everybody is found, nobody else, to a fraction of a pixel, whatever is done to the image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mmpose.registry import KEYPOINT_CODECS
from people import UPRIGHT, people_apart

from classicpose.errors import UserError
from classicpose.paf import DECODERS
from classicpose.skeletons import COCO17, OPENPOSE18, Skeleton
from custom_modules.codecs import PartAffinityField

SIZE = (656, 368)


def make_codec(size: tuple[int, int] = SIZE, **settings: object) -> PartAffinityField:
    return PartAffinityField(size, (size[0] // 8, size[1] // 8), **settings)


def there_and_back(
    codec: PartAffinityField, people: np.ndarray, visible: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    maps = codec.encode(people, visible)
    return codec.decode((maps['heatmaps'], maps['pafs']))


def nearest(found: np.ndarray, scores: np.ndarray, person: np.ndarray) -> tuple[int, np.ndarray]:
    """The index of the found person nearest to a true one, and the distances of its keypoints, NaN where missing."""
    distance = np.where(scores > 0, np.linalg.norm(found - person, axis=-1), np.nan)
    index = int(np.nanmean(distance, axis=1).argmin())
    return index, distance[index]


@pytest.mark.parametrize('count', [1, 2, 5, 10, 20, 30, 40, 50])
def test_people_apart_are_all_found_to_half_a_pixel(count: int) -> None:
    for seed in range(5):
        people = people_apart(count, SIZE, np.random.default_rng(seed))
        found, scores, _ = there_and_back(make_codec(), people)
        assert len(found) == count
        matches = [nearest(found, scores, person) for person in people]
        assert len({index for index, _ in matches}) == count
        errors = np.array([distance for _, distance in matches])
        assert not np.isnan(errors).any()
        assert errors.mean() < 0.5


@pytest.mark.parametrize('decoder', ['matlab', 'openpose'])
def test_variants_without_an_original_find_big_people_whole_in_the_targets_they_were_made_for(decoder: str) -> None:
    """To a pixel or so: they look no closer. The other variants are held against the programs' own output."""
    people = people_apart(3, (600, 320), np.random.default_rng(0)) + 28
    found, scores, instance_scores = there_and_back(make_codec(decoder=decoder, targets='released'), people)
    assert len(found) == 3
    assert (scores > 0.9).all()
    assert (np.diff(instance_scores) <= 0).all()
    for person in people:
        assert nearest(found, scores, person)[1].max() < 1.2


def test_missing_parts_are_zero() -> None:
    visible = np.ones((1, 18))
    missing = [OPENPOSE18.keypoints.index(name) for name in ('left_wrist', 'right_ankle', 'left_ear')]
    visible[0, missing] = 0
    found, scores, _ = there_and_back(make_codec(), people_apart(1, SIZE, np.random.default_rng(0)), visible)
    assert (scores[0] == 0).nonzero()[0].tolist() == sorted(missing)
    assert (found[0, missing] == 0).all()


@pytest.mark.parametrize('scale', [0.5, 2.0])
def test_scaling_the_image_scales_the_people(scale: float) -> None:
    people = people_apart(3, (600, 320), np.random.default_rng(3)) + 28
    plain, _, scores = there_and_back(make_codec(), people)
    size = tuple(int(side * scale) for side in SIZE)
    scaled, _, scaled_scores = there_and_back(make_codec(size), (people + 0.5) * scale - 0.5)
    order = [int(np.abs(scaled - ((person + 0.5) * scale - 0.5)).mean(axis=(1, 2)).argmin()) for person in plain]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(scaled[order], (plain + 0.5) * scale - 0.5, atol=0.5)


def test_two_people_shoulder_on_shoulder() -> None:
    person = UPRIGHT * 300 + [100, 20]
    shift = person[OPENPOSE18.keypoints.index('left_shoulder')] - person[OPENPOSE18.keypoints.index('right_shoulder')]
    found, _, _ = there_and_back(make_codec(), np.array([person, person + shift]))
    assert len(found) == 2
    assert found.any(axis=-1).sum() >= 34


def test_nobody_and_nonsense() -> None:
    codec = make_codec()
    for value in (0, np.nan):
        maps = np.full((19, 46, 82), value, np.float32), np.full((38, 46, 82), value, np.float32)
        keypoints, keypoint_scores, instance_scores = codec.decode(maps)
        assert keypoints.shape == (0, 18, 2)
        assert keypoint_scores.shape == (0, 18)
        assert instance_scores.shape == (0,)
    maps = codec.encode(people_apart(2, SIZE, np.random.default_rng(0)))
    assert len(codec.decode((maps['heatmaps'], np.full_like(maps['pafs'], np.nan)))[0]) == 0


def test_maps_of_another_size_than_the_codecs() -> None:
    person = people_apart(1, (320, 240), np.random.default_rng(0))
    maps = make_codec((320, 240)).encode(person)
    found, _, _ = make_codec().decode((maps['heatmaps'], maps['pafs']))
    np.testing.assert_allclose(found, person, atol=0.5)


def test_registered_and_for_any_skeleton() -> None:
    codec = KEYPOINT_CODECS.build(
        dict(
            type='PartAffinityField',
            input_size=(64, 64),
            heatmap_size=(8, 8),
            skeleton='classicpose.skeletons.COCO17',
        )
    )
    maps = codec.encode(np.full((1, 17, 2), 30.0))
    assert maps['heatmaps'].shape == (18, 8, 8)
    assert maps['pafs'].shape == (2 * len(COCO17.limbs), 8, 8)
    assert maps['heatmaps'].dtype == maps['pafs'].dtype == np.float32


@pytest.mark.parametrize(
    'settings', [dict(targets='printed'), dict(decoder='fast'), dict(heatmap_size=(82, 40)), dict(skeleton='nobody')]
)
def test_wrong_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match='targets|decoder|stride|skeleton'):
        PartAffinityField(**dict(input_size=SIZE, heatmap_size=(82, 46)) | settings)


def test_a_decoder_may_be_another_one_with_changes() -> None:
    """As MPI's: OpenPose's with its own thresholds."""
    sizes = dict(input_size=(64, 64), heatmap_size=(8, 8))
    changed = PartAffinityField(**sizes, decoder=dict(base='openpose', peak_threshold=0.6)).settings
    assert changed == replace(DECODERS['openpose'], peak_threshold=0.6)
    assert PartAffinityField(**sizes, decoder=dict(min_parts=2)).settings == replace(DECODERS['default'], min_parts=2)
    with pytest.raises(ValueError, match="no decoder 'caffe'"):
        PartAffinityField(**sizes, decoder=dict(base='caffe'))


def test_a_body_model_without_limbs_is_explained() -> None:
    nose = Skeleton('nose', ('nose',), (), (0.03,))
    with pytest.raises(UserError, match='nose has no limb: affinity fields need two keypoints .* heatmaps do not'):
        PartAffinityField((64, 64), (8, 8), skeleton=nose)
