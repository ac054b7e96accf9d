"""Boxes of a detector, COCO's list of results, in place of annotated ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classicpose.errors import UserError
from custom_modules.datasets import TopDownCocoDataset

ANNOTATIONS = 'annotations/person_keypoints_val2017.json'
BOX = dict(image_id=1, category_id=1, bbox=[10, 20, 30, 40], score=0.5)


def people_of(data: Path, bbox_file: Path) -> list[dict]:
    dataset = TopDownCocoDataset(
        data_root=str(data), ann_file=ANNOTATIONS, data_prefix=dict(img='val2017'), bbox_file=str(bbox_file),
        test_mode=True,
    )  # fmt: skip
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def image_ids(data: Path) -> list[int]:
    return [image['id'] for image in json.loads((data / ANNOTATIONS).read_text())['images']]


@pytest.mark.parametrize('mark', [b'', b'\xef\xbb\xbf'], ids=['plain', 'byte-order mark'])
def test_people_of_a_file(generated_data: Path, mark: bytes, tmp_path: Path) -> None:
    data = generated_data / 'coco'
    first, second, *_ = image_ids(data)
    boxes = [dict(BOX, image_id=first), dict(BOX, image_id=second, category_id=3), dict(BOX, image_id=second, score=1)]
    (tmp_path / 'boxes.json').write_bytes(mark + json.dumps(boxes).encode())
    people = people_of(data, tmp_path / 'boxes.json')
    assert [(person['img_id'], float(person['bbox_score'][0])) for person in people] == [(first, 0.5), (second, 1)]
    np.testing.assert_array_equal(people[0]['bbox'], [[10, 20, 40, 60]])
    assert Path(people[0]['img_path']).is_file()


@pytest.mark.parametrize(
    ('contents', 'message'),
    [
        (None, 'cannot be read'),
        ('[', 'list of COCO results'),
        ('{"annotations": []}', 'list of COCO results'),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', "KeyError 'category_id'"),
        (json.dumps([dict(BOX, category_id=0)]), 'category_id 1, its 1 boxes have 0'),
        (json.dumps([dict(BOX, image_id=-7)]), 'no person in the images'),
        ('[]', 'its 0 boxes have none'),
    ],
)
def test_files_without_people(generated_data: Path, contents: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / 'boxes.json'
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(UserError, match=message):
        people_of(generated_data / 'coco', path)
