from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as run_lengths

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18
from custom_modules.datasets import CropAroundPerson, LoadIntactImage, ResizeToHeight

SIZE, CELLS = (368, 368), (46, 46)


def results(height: int = 300, width: int = 400) -> dict:
    """A grey image of one person, with an ignored ellipse that is darker."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform((120, 80), (280, 220), (1, 18, 2)).astype(np.float32)
    image = np.full((height, width, 3), 100, np.uint8)
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (60, 150), (40, 70), 20, 0, 360, 1, -1)
    image[mask > 0] = 20
    return dict(
        img=image,
        keypoints=keypoints,
        keypoints_visible=np.ones((1, 18), np.float32),
        main_center=np.array([200.0, 150.0], np.float32),
        main_height=150.0,
        ignore=run_lengths.encode(np.asfortranarray(mask)),
        flip_indices=OPENPOSE18.flip_indices,
    )


@pytest.mark.parametrize('flip_prob', [0.0, 1.0])
@pytest.mark.parametrize('seed', range(4))
def test_image_keypoints_and_mask_move_together(seed: int, flip_prob: float) -> None:
    np.random.seed(seed)
    original = results()
    for point in (original['keypoints'][0] * 16).round().astype(int).tolist():
        cv2.circle(original['img'], point, 3 * 16, (100, 0, 250), -1, cv2.LINE_AA, 4)
    moved = CropAroundPerson(SIZE, CELLS, scale=(0.9, 1.1), flip_prob=flip_prob).transform(original)
    assert moved['img'].shape == (368, 368, 3)
    red = moved['img'][..., 2].astype(int) - moved['img'][..., 1]
    for x, y in moved['keypoints'][0][moved['keypoints_visible'][0] > 0]:
        if 4 < x < 363 and 4 < y < 363:
            assert red[round(float(y)), round(float(x))] > 100
    # Dark cells are the ignored ones; cells on its edge are partly ignored.
    dark = cv2.resize(moved['img'][..., 0], CELLS, interpolation=cv2.INTER_AREA).astype(float)
    mask = moved['heatmap_mask'][0]
    assert mask.shape == (46, 46)
    assert (dark[mask == 0] < 25).all()
    assert (mask == 0).sum() > 20
    assert (dark[mask == 1] > 90).all()


@pytest.mark.parametrize(
    ('main_height', 'factor'),
    [(500.0, 368 / 300), (150.0, 0.6 * 368 / 150), (20.0, 2 * 368 / 300)],
    ids=['large person', 'between the limits', 'small person'],
)
def test_the_short_side_limits_the_factor(main_height: float, factor: float) -> None:
    original = results() | dict(main_height=main_height)
    crop = CropAroundPerson(SIZE, CELLS, scale=(1, 1), short_side=(1.0, 2.0), rotation=0, shift=0, flip_prob=0)
    expected = (original['keypoints'] - original['main_center']) * factor + (368 - 1) / 2
    np.testing.assert_allclose(crop.transform(original)['keypoints'], expected, atol=1e-3)


def test_the_main_person_has_its_size_and_place() -> None:
    """No randomness: 0.6 of 368 pixels high, in the middle of the crop."""
    crop = CropAroundPerson(SIZE, CELLS, scale=(1, 1), rotation=0, shift=0, flip_prob=0)
    original = results()
    keypoints = original['keypoints'].copy()
    moved = crop.transform(original)
    factor = 0.6 * 368 / 150
    np.testing.assert_allclose(moved['keypoints'], (keypoints - [200, 150]) * factor + 183.5, atol=1e-3)


def test_mirroring_exchanges_left_and_right() -> None:
    settings = dict(scale=(1, 1), rotation=0, shift=0)
    plain = CropAroundPerson(SIZE, CELLS, flip_prob=0, **settings).transform(results())
    known = np.arange(18) != OPENPOSE18.keypoints.index('left_wrist')
    original = results() | dict(annotated_keypoints=known)
    mirrored = CropAroundPerson(SIZE, CELLS, flip_prob=1, **settings).transform(original)
    expected = (plain['keypoints'] * [-1, 1] + [367, 0])[:, OPENPOSE18.flip_indices]
    np.testing.assert_allclose(mirrored['keypoints'], expected, atol=1e-3)
    np.testing.assert_array_equal(mirrored['annotated_keypoints'], known[OPENPOSE18.flip_indices])
    np.testing.assert_allclose(mirrored['heatmap_mask'], plain['heatmap_mask'][..., ::-1], atol=0.3)
    difference = np.abs(mirrored['img'].astype(int) - plain['img'][:, ::-1])
    assert difference.mean() < 1


def test_parts_outside_the_crop_are_dropped() -> None:
    original = results()
    original['keypoints'][0, 3] = (2000, 10)
    moved = CropAroundPerson(SIZE, CELLS, scale=(1, 1), rotation=0, shift=0, flip_prob=0).transform(original)
    assert moved['keypoints_visible'][0, 3] == 0
    inside = ((moved['keypoints'] >= -0.5) & (moved['keypoints'] < 367.5)).all(axis=-1)
    np.testing.assert_array_equal(moved['keypoints_visible'] > 0, inside)


def test_outside_the_image_is_grey_and_not_ignored() -> None:
    original = results(height=60, width=60)
    original.update(main_center=np.array([30.0, 30.0]), main_height=600.0, ignore=None)
    moved = CropAroundPerson(SIZE, CELLS, flip_prob=0).transform(original)
    assert (moved['img'][0, 0] == 128).all()
    assert (moved['heatmap_mask'] == 1).all()


@pytest.mark.parametrize('size', [(480, 640), (640, 427), (200, 333), (1500, 1001)])
def test_resizing_leads_back_to_the_image(size: tuple[int, int]) -> None:
    """A bright spot is found again where it was, by MMPose's formula."""
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    spot = np.array([width * 0.7, height * 0.3])
    center = (spot * 16).round().astype(int).tolist()
    cv2.circle(image, center, int(height * 0.02 * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    moved = ResizeToHeight(368).transform(dict(img=image))
    assert moved['img'].shape[0] == 368
    assert moved['img'].shape[1] % 8 == 0
    assert moved['input_size'] == moved['img'].shape[1::-1]
    weight = moved['img'][..., 0].astype(float)
    weight[weight == 128] = 0  # the padding
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    found = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    back = found / moved['input_size'] * moved['input_scale'] + moved['input_center'] - moved['input_scale'] / 2
    np.testing.assert_allclose(back, spot, atol=0.3)


def test_images_are_read(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 50, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    loaded = LoadIntactImage().transform(dict(img_path=str(tmp_path / 'a.png')))
    np.testing.assert_array_equal(loaded['img'], image)
    assert loaded['ori_shape'] == loaded['img_shape'] == (30, 50)


def test_broken_images_are_named(tmp_path: Path) -> None:
    good = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8))[1].tobytes()
    (tmp_path / 'short.jpg').write_bytes(good[: len(good) // 2])
    (tmp_path / 'empty.jpg').write_bytes(b'')
    (tmp_path / 'text.jpg').write_text('hello')
    (tmp_path / 'tail.jpg').write_bytes(good + b'\0' * 100)
    for name, complaint in (('none', 'cannot be read'), ('short', 'truncated'), ('empty', 'not a'), ('text', 'not a')):
        with pytest.raises(UserError, match=complaint) as error:
            LoadIntactImage().transform(dict(img_path=str(tmp_path / f'{name}.jpg')))
        assert f'{name}.jpg' in str(error.value)
    assert LoadIntactImage().transform(dict(img_path=str(tmp_path / 'tail.jpg')))['img'].shape == (99, 99, 3)
