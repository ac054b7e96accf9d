"""COCO with feet: COCO-WholeBody's files and files of 17 + 6 keypoints, which images know feet, and foot AP."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.skeletons import BODY25, COCO17, COCO23, FEET6, convert_keypoints
from custom_modules.datasets import BottomUpCocoDataset
from custom_modules.datasets.coco import load_annotation_file
from custom_modules.metrics import BodyCocoMetric, FootCocoMetric

FEET = [name in FEET6.keypoints for name in BODY25.keypoints]
LEFT_ANKLE, RIGHT_ANKLE = (COCO17.keypoints.index(f'{side}_ankle') for side in ('left', 'right'))


def person(number: int, image: int, feet: bool, ankles: bool = True) -> dict:
    """An annotation as COCO-WholeBody's, 100 pixels wide and 200 tall."""
    rng = np.random.default_rng(number)
    table = np.concatenate([rng.uniform((0, 0), (100, 200), (23, 2)) + 50 * number, np.full((23, 1), 2)], axis=1)
    table = table.round(1)
    if not feet:
        table[17:] = 0
    if not ankles:
        table[[LEFT_ANKLE, RIGHT_ANKLE]] = 0
    return dict(
        id=number,
        image_id=image,
        category_id=1,
        iscrowd=0,
        keypoints=table[:17].ravel().tolist(),
        num_keypoints=int((table[:17, 2] > 0).sum()),
        foot_kpts=table[17:].ravel().tolist(),
        bbox=[50 * number, 50 * number, 100, 200],
        area=20000,
        segmentation=[],
    )


def write(path: Path, people: list[dict], joined: bool) -> str:
    """A file of COCO-WholeBody's form or, ``joined``, one of 17 + 6 keypoints."""
    if joined:
        people = [
            {key: value for key, value in p.items() if key != 'foot_kpts'}
            | dict(keypoints=p['keypoints'] + p['foot_kpts'], num_keypoints=23)
            for p in people
        ]
    images = [dict(id=number, file_name=f'{number}.jpg', width=640, height=480) for number in (1, 2, 3, 4)]
    contents = dict(images=images, annotations=people, categories=[dict(id=1, name='person')])
    path.write_text(json.dumps(contents))
    return str(path)


@pytest.mark.parametrize('joined', [False, True], ids=['coco_wholebody', '17 + 6'])
def test_keypoints_of_every_kind_of_file(joined: bool, tmp_path: Path) -> None:
    """With feet, without, and the feet alone, from either."""
    annotation = person(1, 1, feet=True)
    path = write(tmp_path / 'a.json', [annotation], joined)
    body, feet = annotation['keypoints'], annotation['foot_kpts']
    for skeleton, expected in ((COCO23, body + feet), (COCO17, body), (FEET6, feet)):
        (found,) = load_annotation_file(path, skeleton)['annotations']
        assert found['keypoints'] == expected
        assert found['num_keypoints'] == len(skeleton.keypoints)


def test_a_file_without_feet_is_refused_where_feet_are_asked_for(tmp_path: Path) -> None:
    annotation = person(1, 1, feet=True)
    del annotation['foot_kpts']
    path = write(tmp_path / 'a.json', [annotation], joined=False)
    with pytest.raises(UserError, match='keypoints are not 69 finite numbers'):
        load_annotation_file(path, COCO23)
    with pytest.raises(UserError, match='keypoints are not 18 finite numbers'):
        FootCocoMetric(path, BODY25)


@pytest.mark.parametrize('joined', [False, True], ids=['coco_wholebody', '17 + 6'])
def test_images_without_labels_on_feet_do_not_teach_them(joined: bool, tmp_path: Path) -> None:
    people = [
        person(1, 1, feet=True),
        person(2, 2, feet=False),  # nobody has feet
        person(3, 3, feet=True),
        person(4, 3, feet=False),  # somebody with ankles lacks them
        person(5, 4, feet=True),
        person(6, 4, feet=False, ankles=False),  # this one's feet are not in the image
    ]
    path = write(tmp_path / 'a.json', people, joined)
    dataset = BottomUpCocoDataset(BODY25, COCO23, ann_file=path, data_prefix=dict(img='images'))
    known = {}
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        known[sample['img_id']] = sample['annotated_keypoints']
        assert sample['keypoints'].shape[1] == 25
    assert all(annotated[~np.array(FEET)].all() for annotated in known.values())
    assert {image: bool(annotated[FEET].all()) for image, annotated in known.items()} == {
        1: True, 2: False, 3: False, 4: True,
    }  # fmt: skip
    assert not known[2][FEET].any()


def predictions(people: list[dict], image: int, wrong_feet: bool = False) -> dict:
    """A sample that finds everybody exactly, but for the feet of them all."""
    table = np.array([p['keypoints'] + p['foot_kpts'] for p in people if p['image_id'] == image]).reshape(-1, 23, 3)
    keypoints, scores = convert_keypoints(table[..., :2], np.ones(table.shape[:2]), COCO23, BODY25)
    if wrong_feet:
        keypoints[:, FEET] += 300
    return dict(
        id=list(range(len(table))),
        img_id=image,
        ori_shape=(480, 640),
        pred_instances=dict(keypoints=keypoints, keypoint_scores=scores, bbox_scores=np.ones(len(table))),
        gt_instances=dict(),
    )


@pytest.mark.parametrize('joined', [False, True], ids=['coco_wholebody', '17 + 6'])
def test_body_and_foot_ap_are_of_their_own_keypoints(joined: bool, tmp_path: Path) -> None:
    people = [person(1, 1, feet=True), person(2, 1, feet=False), person(3, 2, feet=True)]
    path = write(tmp_path / 'a.json', people, joined)
    for wrong_feet, expected in ((False, {'coco/AP': 1, 'foot/AP': 1}), (True, {'coco/AP': 1, 'foot/AP': 0})):
        found = {}
        for kind in (BodyCocoMetric, FootCocoMetric):
            metric = kind(ann_file=path, skeleton=BODY25)
            metric.dataset_meta = BottomUpCocoDataset(
                BODY25, COCO23, ann_file=path, data_prefix=dict(img='images'), test_mode=True
            ).metainfo
            metric.process({}, [predictions(people, image, wrong_feet) for image in (1, 2)])
            found |= metric.evaluate(2)
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
