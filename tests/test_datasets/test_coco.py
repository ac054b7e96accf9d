from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as run_lengths

from classicpose.errors import UserError
from classicpose.skeletons import BODY25, COCO17, OPENPOSE18
from custom_modules.datasets import BottomUpCocoDataset
from custom_modules.datasets.annotations import load_annotation_file
from custom_modules.datasets.coco import ignored_region, main_people
from custom_modules.datasets.mistakes import _decompressed

WIDTH, HEIGHT = 640, 480


def person(number: int, x: float, y: float, size: float, labelled: int = 17, **more: object) -> dict:
    """An annotation with its box's corner at (x, y); the first parts of it are labelled."""
    keypoints = np.zeros((17, 3))
    for index in range(labelled):
        keypoints[index] = x + index, y + 2 * index, 2
    return (
        dict(
            id=number,
            image_id=1,
            category_id=1,
            iscrowd=0,
            keypoints=keypoints.ravel().tolist(),
            bbox=[x, y, size, size],
            area=size * size,
            segmentation=[[x, y, x + size, y, x + size, y + size, x, y + size]],
        )
        | more
    )


def write(folder: Path, people: list[dict], changes: dict | None = None) -> Path:
    """An annotation file of two images; ``changes`` replace its entries, None takes one out."""
    contents = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in (1, 2)],
        annotations=people,
        categories=[dict(id=1, name='person')],
    )
    contents |= changes or {}
    path = folder / 'people.json'
    path.write_text(json.dumps({key: value for key, value in contents.items() if value is not None}))
    return path


def decoded(region: dict | None) -> np.ndarray:
    return run_lengths.decode(region) if region else np.zeros((HEIGHT, WIDTH), np.uint8)


def test_one_sample_for_every_main_person(tmp_path: Path) -> None:
    people = [
        person(1, 10, 20, 100),
        person(2, 300, 100, 200),
        person(3, 500, 10, 20),
        person(4, 50, 300, 90, labelled=4),
    ]
    dataset = BottomUpCocoDataset(ann_file=str(write(tmp_path, people)), data_prefix=dict(img='images'))
    assert len(dataset) == 2
    samples = [dataset.get_data_info(index) for index in range(2)]
    assert [sample['main_center'].tolist() for sample in samples] == [[60, 70], [400, 200]]
    assert [sample['main_height'] for sample in samples] == [100, 200]
    for sample in samples:
        assert sample['keypoints'].shape == (4, 18, 2)  # those who are no main person are targets all the same
        assert sample['keypoints_visible'].sum(axis=1).tolist() == [18, 18, 18, 4]
        assert sample['img_path'] == 'images/1.jpg'
        assert sample['flip_indices'] == OPENPOSE18.flip_indices


def test_samples_tell_which_keypoints_the_file_can_give(tmp_path: Path) -> None:
    """COCO's file gives all of OpenPose's 18, the neck included, and none of BODY_25's feet."""
    path, images = str(write(tmp_path, [person(1, 10, 20, 100)])), dict(img='images')
    known = BottomUpCocoDataset(ann_file=path, data_prefix=images).get_data_info(0)['annotated_keypoints']
    assert known.tolist() == [True] * 18
    dataset = BottomUpCocoDataset(BODY25, ann_file=path, data_prefix=images)
    assert dataset.get_data_info(0)['annotated_keypoints'].tolist() == [True] * 19 + [False] * 6


@pytest.mark.parametrize(
    ('second', 'mains'),
    [
        (person(2, 200, 100, 100), 2),
        (person(2, 110, 100, 100), 1),  # centres 10 pixels apart, less than 0.3 of 100
        (person(2, 131, 100, 100), 2),
        (person(2, 200, 100, 31), 1),  # less than 32 x 32 pixels
        (person(2, 200, 100, 33), 2),
        (person(2, 200, 100, 100, labelled=4), 1),
        (person(2, 200, 100, 100, labelled=5), 2),
    ],
)
def test_who_is_a_main_person(second: dict, mains: int) -> None:
    assert len(main_people([person(1, 100, 100, 100), second])) == mains


def test_ignored_are_people_without_keypoints() -> None:
    labelled, unlabelled = person(1, 10, 10, 50), person(2, 200, 100, 80, labelled=0)
    assert ignored_region([labelled], HEIGHT, WIDTH) is None
    mask = decoded(ignored_region([labelled, unlabelled], HEIGHT, WIDTH))
    expected = np.zeros_like(mask)
    expected[100:180, 200:280] = 1
    np.testing.assert_array_equal(mask, expected)


def test_ignored_are_crowds_less_everybody_outlined_in_them() -> None:
    area = np.zeros((HEIGHT, WIDTH), np.uint8, order='F')
    area[100:300, 100:500] = 1
    encoded = run_lengths.encode(area)
    encoded['counts'] = encoded['counts'].decode()
    crowd = person(3, 100, 100, 200, labelled=0, iscrowd=1, segmentation=encoded)
    inside = person(1, 150, 150, 60)
    mask = decoded(ignored_region([inside, crowd], HEIGHT, WIDTH))
    area[150:210, 150:210] = 0
    np.testing.assert_array_equal(mask, area)


def test_crowds_may_have_uncompressed_run_lengths() -> None:
    counts = dict(size=[HEIGHT, WIDTH], counts=[HEIGHT * 10, HEIGHT * 5, HEIGHT * (WIDTH - 15)])
    mask = decoded(ignored_region([person(1, 0, 0, 9, labelled=0, iscrowd=1, segmentation=counts)], HEIGHT, WIDTH))
    assert mask[:, 10:15].all()
    assert mask.sum() == 5 * HEIGHT


def test_testing_sees_every_image(tmp_path: Path) -> None:
    dataset = BottomUpCocoDataset(ann_file=str(write(tmp_path, [person(1, 10, 10, 90)])), test_mode=True)
    assert [dataset.get_data_info(index)['id'] for index in range(len(dataset))] == [[1], []]


def test_indices_mean_the_same_images_in_training_and_testing(tmp_path: Path) -> None:
    path = str(write(tmp_path, [person(1, 10, 10, 90, image_id=2)]))
    for indices, count in (([0], 0), ([1], 1)):
        assert len(BottomUpCocoDataset(ann_file=path, indices=indices, test_mode=True)) == 1
        if count:
            assert len(BottomUpCocoDataset(ann_file=path, indices=indices)) == count
        else:
            with pytest.raises(UserError, match='nobody to train on'):
                BottomUpCocoDataset(ann_file=path, indices=indices)


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        (dict(annotations=None), 'no list "annotations"'),
        (dict(images={}), 'no list "images"'),
        (dict(images=[dict(id=1, height=1, width=1)]), '1 images without "file_name"'),
        (dict(annotations=[dict(id=7, image_id=1, keypoints=[0] * 51)]), r'1 annotations without "bbox" \(7\)'),
        (dict(annotations=[person(7, 0, 0, 9, keypoints=[1, 2, 2])]), r'keypoints are not 51 .* \(7\).*"annotated"'),
        (dict(annotations=[person(7, 0, 0, 9, image_id=5)]), r'whose image_id is not among the images \(7\)'),
        (
            dict(annotations=[person(i, 0, 0, float('nan')) for i in range(9)]),
            r'9 annotations .*\(0, 1, 2, \.\.\.\), 9 ',
        ),
        (dict(annotations=[]), 'nobody to train on'),
    ],
)
def test_malformed_files_are_explained(tmp_path: Path, changes: dict, complaint: str) -> None:
    path = write(tmp_path, [person(1, 10, 10, 90)], changes)
    with pytest.raises(UserError, match=complaint) as error:
        BottomUpCocoDataset(ann_file=str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        (dict(keypoints=[None] * 51), 'keypoints are not 51 finite numbers'),
        (dict(keypoints=[{}] * 51), 'keypoints are not 51 finite numbers'),
        (dict(keypoints=[float('nan')] * 51), 'keypoints are not 51 finite numbers'),
        (dict(keypoints=[10**400] * 51), 'keypoints are not 51 finite numbers'),
        (dict(bbox=[1, 2, 3]), 'bbox is not 4 finite numbers'),
        (dict(bbox=[1, 2, 3, 1e308]), 'bbox is not 4 finite numbers'),
        (dict(id=[7]), 'id that is no whole number'),
        (dict(area='7'), 'area is no number'),
        (dict(num_keypoints='7'), 'num_keypoints is no whole number'),
        (dict(segmentation=[[1, 2, 3, 4, float('nan'), 6]]), 'segmentation is neither'),
        (dict(segmentation=[[1, 2, 3, 4, 1e308, 6]]), 'segmentation is neither'),
        (dict(segmentation=[[1, 2, 3, 4, None, 6]]), 'segmentation is neither'),
        (dict(segmentation=[[1, 2, 3, 4, [5], 6]]), 'segmentation is neither'),
        (dict(segmentation=[[1, 2, 3, 4, 5]]), 'segmentation is neither'),
        (dict(segmentation=[[1, 2, 3, 4]]), 'segmentation is neither polygons of three points or more'),
        (dict(segmentation='none'), 'segmentation is neither'),
        (dict(segmentation=dict(size=[HEIGHT, WIDTH], counts=[HEIGHT * WIDTH - 1])), 'segmentation is neither'),
        (dict(segmentation=dict(size=[HEIGHT, WIDTH], counts=[HEIGHT * WIDTH, None])), 'segmentation is neither'),
        (dict(segmentation=dict(size=[WIDTH, HEIGHT], counts=[HEIGHT * WIDTH])), 'segmentation is neither'),
        (dict(segmentation=dict(size=[HEIGHT, WIDTH], counts='0')), 'segmentation is neither'),
        (dict(segmentation=dict(size=[HEIGHT, WIDTH], counts='oo~')), 'segmentation is neither'),
    ],
)
def test_a_wrong_value_is_found_at_reading(tmp_path: Path, changes: dict, complaint: str) -> None:
    people = [person(number, 10, 10, 90) for number in (5, 6, 7)]
    people[2] |= changes
    with pytest.raises(UserError, match=rf'1 annotations .*{complaint}.* \({re.escape(str(people[2]["id"]))}\)'):
        load_annotation_file(str(write(tmp_path, people)), COCO17)


@pytest.mark.parametrize(
    ('mistake', 'complaint', 'in_training'),
    [
        (lambda people: people, None, False),
        (lambda people: [a | dict(area=0) for a in people], '4 people whose area is less than a hundredth', False),
        (lambda people: [a | dict(area=1) for a in people], r'hundredth of their box .* \(1, 2, 3, \.\.\.\)', False),
        (lambda people: [a | dict(id=7) for a in people], r'1 ids that several annotations have \(7\)', False),
        (
            lambda people: people + [a | dict(id=a['id'] + 10) for a in people],
            r'4 people annotated twice, with the same keypoints in the same image \(11, 12, 13, \.\.\.\)',
            False,
        ),
        (
            lambda people: [a | dict(keypoints=[x if x == 2 else x / 200 for x in a['keypoints']]) for a in people],
            r'4 people whose keypoints all lie between 0 and 1.*pixels are wanted \(1, 2, 3, \.\.\.\)',
            True,
        ),
        (
            lambda people: [a | dict(num_keypoints=0) for a in people],
            r'4 people whose num_keypoints is 0 though keypoints are labelled, or the reverse \(1, 2, 3, \.\.\.\)',
            True,
        ),
        (lambda people: [people[0] | dict(keypoints=[0] * 51, num_keypoints=17)], 'or the reverse', True),
    ],
)  # fmt: skip
def test_a_mistake_of_a_whole_file(
    tmp_path: Path, mistake: Callable, complaint: str | None, in_training: bool, capsys: pytest.CaptureFixture
) -> None:
    """Evaluation refuses it, and training where it would be in vain; else training tells it."""
    people = [person(number, 20 * number, 10, 90, num_keypoints=17) for number in (1, 2, 3, 4)]
    path = str(write(tmp_path, mistake(people)))
    for evaluated in (False, True):
        if complaint and (evaluated or in_training):
            with pytest.raises(UserError, match=complaint):
                load_annotation_file(path, COCO17, evaluated)
        else:
            load_annotation_file(path, COCO17, evaluated)
            told = capsys.readouterr().out
            assert re.search(complaint, told) if complaint else not told


def test_a_mistake_of_one_person_is_told_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    people = [person(number, 5 * number, 10, 90, num_keypoints=17) for number in range(20)]
    people[3]['area'] = 0
    assert load_annotation_file(str(write(tmp_path, people)), COCO17, evaluated=True)['annotations'] == people
    assert '1 people whose area is less than a hundredth of their box' in capsys.readouterr().out


def test_several_images_with_one_id_are_refused(tmp_path: Path) -> None:
    images = [dict(id=1, file_name=name, width=WIDTH, height=HEIGHT) for name in ('1.jpg', '2.jpg')]
    with pytest.raises(UserError, match=r'1 ids that several images have \(1\)'):
        load_annotation_file(str(write(tmp_path, [person(1, 10, 10, 90)], dict(images=images))), COCO17)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_a_byte_order_mark_is_read_over(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, [person(1, 10, 10, 90)])
    path.write_text(path.read_text(), encoding=encoding)
    assert len(BottomUpCocoDataset(ann_file=str(path))) == 1


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(1, 9), st.randoms())
def test_compressed_run_lengths_are_read_as_pycocotools_wrote_them(
    height: int, width: int, share: float, scale: int, random: Random
) -> None:
    mask = np.array([random.random() < share for _ in range(height * width)], np.uint8).reshape(height, width)
    mask = np.asfortranarray(mask.repeat(scale, axis=0))
    counts = run_lengths.encode(mask)['counts']
    changes = np.flatnonzero(np.diff(mask.ravel(order='F'), prepend=0))
    expected = np.diff(changes, prepend=0, append=mask.size).tolist()
    assert _decompressed(counts.decode()) == expected


def test_what_cvat_does_not_export_is_derived(tmp_path: Path) -> None:
    exported = person(1, 10, 10, 90, labelled=6, category_id=3)
    full = exported | dict(num_keypoints=6, area=0.53 * 90 * 90)
    for key in ('area', 'iscrowd'):
        del exported[key]
    changes = dict(categories=[dict(id=3, name='person')])
    (read,) = load_annotation_file(str(write(tmp_path, [exported], changes)), COCO17)['annotations']
    assert read == full


def test_missing_and_unreadable_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / 'broken.json').write_text('{"images": [')
    (tmp_path / 'results.json').write_text('[]')
    for name, complaint in (('none.json', 'does not exist'), ('broken.json', 'JSON'), ('results.json', 'results file')):
        with pytest.raises(UserError, match=complaint):
            BottomUpCocoDataset(ann_file=str(tmp_path / name))


@pytest.mark.real_data
def test_genuine_coco(real_coco: Path) -> None:
    dataset = BottomUpCocoDataset(
        data_root=str(real_coco),
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017'),
    )
    contents = json.loads((real_coco / 'annotations/person_keypoints_val2017.json').read_text())
    annotations = {a['id']: copy.deepcopy(a) for a in contents['annotations']}
    assert len(dataset) > 100
    for index in range(0, len(dataset), 10):
        info = dataset.get_data_info(index)
        assert Path(info['img_path']).is_file()
        own = [annotations[i] for i in info['id'] if annotations[i]['num_keypoints'] and not annotations[i]['iscrowd']]
        assert len(own) == len(info['keypoints'])
        nose = COCO17.keypoints.index('nose')
        for annotation, keypoints, visible in zip(own, info['keypoints'], info['keypoints_visible'], strict=True):
            x, y, v = annotation['keypoints'][3 * nose : 3 * nose + 3]
            assert visible[OPENPOSE18.keypoints.index('nose')] == (v > 0)
            assert keypoints[OPENPOSE18.keypoints.index('nose')].tolist() == [x, y]
