"""Hands and faces of COCO-WholeBody, one a sample."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpose.apis.inference import dataset_meta_from_config
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.skeletons import FACE70
from custom_modules.configuration.loading import load_config
from custom_modules.datasets import HandOrFaceDataset, MirrorLeftHand
from custom_modules.datasets.hands_and_faces import square_box


def annotation(**changes: object) -> dict:
    """Somebody with two hands and a face, one keypoint of the right hand unlabelled."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count, corner in (('lefthand', 21, 300), ('righthand', 21, 100), ('face', 68, 200)):
        table = np.column_stack([rng.uniform(corner, corner + 50, (count, 2)), np.full(count, 2)]).round(1)
        if part == 'righthand':
            table[3] = 0
        parts |= {f'{part}_valid': True, f'{part}_kpts': table.ravel().tolist()}
    own = dict(id=1, image_id=1, iscrowd=0, keypoints=[0] * 51, bbox=[0, 0, 9, 9], area=81, category_id=1)
    return own | parts | changes


def write(path: Path, *annotations: dict) -> str:
    images = [dict(id=1, file_name='a.png', width=640, height=480)]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])))
    return str(path)


def test_every_valid_hand_is_a_sample_and_left_ones_are_mirrored(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.json', annotation(), annotation(id=2, lefthand_valid=False))
    dataset = HandOrFaceDataset('hand', 2.0, ann_file=path, data_prefix=dict(img='i'))
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [sample['mirrored'] for sample in samples] == [True, False, False]
    assert samples[1]['keypoints_visible'].sum() == 20
    points = samples[1]['keypoints'][0][samples[1]['keypoints_visible'][0] > 0]
    x1, y1, x2, y2 = samples[1]['bbox'][0]
    np.testing.assert_allclose((x2 - x1, y2 - y1), 2 * np.ptp(points, axis=0).max(), rtol=1e-5)
    np.testing.assert_allclose(((x1 + x2) / 2, (y1 + y2) / 2), (points.min(axis=0) + points.max(axis=0)) / 2, rtol=1e-5)


def test_pupils_are_the_middles_of_the_eyes(tmp_path: Path) -> None:
    dataset = HandOrFaceDataset(
        'face', 1.4, ann_file=write(tmp_path / 'a.json', annotation()), data_prefix=dict(img='')
    )
    sample = dataset.get_data_info(0)
    assert sample['keypoints'].shape == (1, 70, 2)
    assert sample['keypoints_visible'].all()
    right = FACE70.keypoints.index('right_pupil')
    np.testing.assert_allclose(sample['keypoints'][0, right], sample['keypoints'][0, [36, 39]].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize(('part', 'count'), [('hand', 21), ('face', 70)])
def test_mmpose_knows_the_part_of_a_config(part: str, count: int) -> None:
    cfg = load_config(REPOSITORY / f'configs/openpose_{part}_coco_wholebody.py')
    assert dataset_meta_from_config(cfg)['num_keypoints'] == count


def test_a_mirrored_hand_keeps_its_place_on_the_image() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    cv2.circle(image, (20, 30), 2, (0, 0, 255), -1)
    sample = dict(
        img=image,
        mirrored=True,
        keypoints=np.array([[[20, 30], [25, 40]]], np.float32),
        bbox=np.array([[10, 20, 40, 50]], np.float32),
    )
    moved = MirrorLeftHand().transform(dict(sample))
    assert moved['keypoints'][0].tolist() == [[59, 30], [54, 40]]
    assert moved['bbox'].tolist() == [[39, 20, 69, 50]]
    assert moved['img'][30, 59, 2] == 255
    assert MirrorLeftHand().transform(dict(sample, mirrored=False))['img'] is image


def test_a_square_of_one_point_is_not_empty() -> None:
    np.testing.assert_allclose(square_box(np.array([[5.0, 6.0]]), 2.0), [4, 5, 6, 7])


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        (dict(lefthand_valid=False, righthand_valid=False), 'has no valid hand.*COCO-WholeBody'),
        (dict(lefthand_kpts=[1, 2, 2]), 'annotation 1 has 3 numbers of lefthand_kpts'),
    ],
)
def test_files_without_hands_are_explained(changes: dict, complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path / 'a.json', annotation(**changes))
    with pytest.raises(UserError, match=complaint):
        HandOrFaceDataset('hand', 2.0, ann_file=path, data_prefix=dict(img=''))
    with pytest.raises(UserError, match="part 'foot': give one of hand, face"):
        HandOrFaceDataset('foot', 2.0, ann_file=path)
