"""A training without the images on which choices are made, and a validation on these alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from custom_modules.datasets import BottomUpCocoDataset, TopDownCocoDataset

IMAGES = 5


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    keypoints = [value for part in range(17) for value in (50 + 5 * part, 60 + 9 * part, 2)]
    people = [
        dict(id=10 + i, image_id=i, category_id=1, iscrowd=0, keypoints=keypoints, bbox=[40, 50, 100, 170], area=9000)
        for i in range(IMAGES)
    ]
    contents = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=640, height=480) for i in range(IMAGES)],
        annotations=people,
        categories=[dict(id=1, name='person')],
    )
    path = tmp_path / 'people.json'
    path.write_text(json.dumps(contents))
    return path


@pytest.mark.parametrize('kind', [BottomUpCocoDataset, TopDownCocoDataset])
def test_either_side_of_a_list(kind: type, annotations: Path) -> None:
    selection = annotations.with_name('selection.txt')
    selection.write_text('3.jpg\n1.jpg\n')
    apart = [
        {dataset[index]['img_id'] for index in range(len(dataset))}
        for dataset in (
            kind(ann_file=str(annotations), **{key: str(selection)}) for key in ('only_images', 'without_images')
        )
    ]
    assert apart == [{1, 3}, {0, 2, 4}]


def test_a_list_that_is_not_there(annotations: Path) -> None:
    with pytest.raises(UserError, match='none.txt cannot be read'):
        BottomUpCocoDataset(ann_file=str(annotations), without_images=str(annotations.with_name('none.txt')))


@pytest.mark.real_data
def test_selection_of_coco_mini(real_coco: Path) -> None:
    """Every eleventh training image by id, the first 200 of them."""
    contents = json.loads((real_coco / 'annotations/person_keypoints_train2017.json').read_text())
    names = [image['file_name'] for image in sorted(contents['images'], key=lambda image: image['id'])]
    assert (REPOSITORY / 'configs/coco_mini_selection.txt').read_text().split() == names[::11][:200]
