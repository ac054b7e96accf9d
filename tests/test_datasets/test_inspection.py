from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from pycocotools.coco import COCO
from small_annotations import HEIGHT, NAMES, WIDTH, person, sound

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, Skeleton
from custom_modules.datasets.checks.coco import ERROR, WARNING, check_coco
from custom_modules.datasets.checks.images import check_images, check_shared
from custom_modules.datasets.checks.people import People, people_of_coco, richest_images
from custom_modules.datasets.checks.report import find_datasets, inspect_dataset, report


def test_what_is_reported() -> None:
    people = people_of_coco(sound(), NAMES, 'folder')
    assert people.images == ['folder/1.jpg', 'folder/2.jpg']
    assert people.owners.tolist() == [0, 0, 1, 1]
    lines = [' '.join(line.split()) for line in report(_Described(people), top=1)]
    assert lines == [
        'images 2 0 of them without people',
        'people 3',
        'with keypoints 2 66.7 %',
        'without keypoints 1 33.3 %',
        'crowds 1',
        'samples 5 of object',
        'people an image 1 to 2, quartiles 1 2 2',
        'box height, pixels 50 to 80, quartiles 50 50 65',
        'area small 33.3 %, medium 33.3 %, large 33.3 %',
        '',
        'joint labelled visible of people with keypoints',
        'head 2 100.0 % 2 100.0 %',
        'hand 2 100.0 % 1 50.0 %',
        'foot 1 50.0 % 1 50.0 %',
        '',
        'most labelled keypoints people',
        '3 1 2.jpg',
    ]


class _Described:
    """What a report needs of an inspection."""

    samples, dataset = 5, object()

    def __init__(self, people: People) -> None:
        self.people = people


def test_richest_images_come_first_and_equal_ones_in_their_order() -> None:
    contents = sound()
    contents['images'] += [dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in (3, 4)]
    contents['annotations'].append(person(15, image_id=4))
    people = people_of_coco(contents, NAMES, '')
    assert richest_images(people, 9).tolist() == [1, 0, 3]  # the third image has nobody
    assert richest_images(people, 2).tolist() == [1, 0]


def test_malformed_people_are_counted_apart() -> None:
    contents = sound()
    contents['annotations'][0]['keypoints'] = [1, 2, 2]
    people = people_of_coco(contents, NAMES, '')
    assert people.left_out == 1
    assert len(people.owners) == 3


def write_image(path: Path, seed: int = 0, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (HEIGHT, width, 3), np.uint8))


def people_in(folder: Path, *names: str) -> People:
    contents = sound() | dict(
        images=[dict(id=i, file_name=name, width=WIDTH, height=HEIGHT) for i, name in enumerate(names, start=1)]
    )
    return people_of_coco(contents, NAMES, str(folder))


def test_images_that_are_missing_broken_or_of_another_size(tmp_path: Path) -> None:
    for name in ('good.jpg', 'half.jpg'):
        write_image(tmp_path / name)
    write_image(tmp_path / 'turned.jpg', width=50)
    (tmp_path / 'half.jpg').write_bytes((tmp_path / 'half.jpg').read_bytes()[:2000])
    (tmp_path / 'text.jpg').write_text('text')
    people = people_in(tmp_path, 'good.jpg', 'half.jpg', 'turned.jpg', 'text.jpg', 'none.jpg')
    missing = (ERROR, 'images that do not exist', [str(tmp_path / 'none.jpg')])
    assert [tuple(finding) for finding in check_images(people, open_them=False)] == [missing]
    assert [tuple(finding) for finding in check_images(people)] == [
        missing,
        (
            ERROR,
            'images that do not open',
            [f'{tmp_path}/half.jpg is a truncated JPEG', f'{tmp_path}/text.jpg is not a readable image'],
        ),
        (ERROR, 'images of another size than annotated', ['turned.jpg (50x80, annotated 100x80)']),
    ]


def test_images_of_two_splits(tmp_path: Path) -> None:
    for number, name in enumerate(('train/same.jpg', 'train/other.jpg', 'val/other.jpg', 'train/own.jpg')):
        write_image(tmp_path / name, seed=number)
    (tmp_path / 'val/same.jpg').write_bytes((tmp_path / 'train/same.jpg').read_bytes())
    train = people_in(tmp_path / 'train', 'own.jpg', 'same.jpg', 'other.jpg', 'gone.jpg')
    val = people_in(tmp_path / 'val', 'other.jpg', 'same.jpg', 'gone.jpg', 'new.jpg')
    (finding,) = check_shared(train, val, 'train and val')
    # Those that are there are compared, one of the name that is not there may be the same.
    assert tuple(finding) == (ERROR, 'images in both train and val', ['same.jpg', 'gone.jpg'])


def test_an_image_whose_people_are_divided_between_splits_is_a_warning() -> None:
    def split(x: float) -> People:
        contents = sound() | dict(annotations=[person(1, keypoints=[x, 15, 2] * 3)])
        return people_of_coco(contents, NAMES, '')._replace(complete=False)

    assert [finding.grade for finding in check_shared(split(20), split(30), 'train and test')][:1] == [WARNING]
    assert [finding.grade for finding in check_shared(split(20), split(20), 'train and test')][:1] == [ERROR]


@pytest.fixture
def generated(generated_data: Path) -> Config:
    def dataset(split: str, **more: object) -> dict:
        return dict(
            type='mmpose.BottomUpCocoDataset',
            data_root=str(generated_data / 'generated'),
            ann_file=f'annotations/person_keypoints_{split}2017.json',
            data_prefix=dict(img=f'{split}2017'),
            pipeline=[dict(type='NotBuilt')],
            **more,
        )

    val = dict(dataset=dataset('val', test_mode=True))
    return Config(dict(train_dataloader=dict(dataset=dataset('train')), val_dataloader=val, test_dataloader=val))


def test_drawn_people_are_sound_and_counted_as_the_coco_api_counts(generated: Config) -> None:
    datasets = find_datasets(generated)
    assert [splits for splits, _ in datasets] == [['train'], ['val', 'test']]
    for splits, config in datasets:
        inspection = inspect_dataset(splits, config)
        people = inspection.people
        assert list(inspection.findings) == []
        assert list(check_images(people)) == []
        truth = COCO(inspection.dataset.ann_file)
        assert len(people.images) == len(truth.getImgIds())
        assert people.crowds.sum() == len(truth.getAnnIds(iscrowd=True))
        assert len(people.owners) == len(truth.getAnnIds())
        assert people.labelled.sum() == sum(annotation['num_keypoints'] for annotation in truth.anns.values())
        assert inspection.samples == len(inspection.dataset)


def test_splits_of_one_file_share_only_the_images_that_both_take(generated: Config) -> None:
    def people(indices: list[int]) -> People:
        cfg = Config(dict(val_dataloader=generated.val_dataloader))
        cfg.val_dataloader.dataset.indices = indices
        (dataset,) = find_datasets(cfg)
        return inspect_dataset(*dataset).people

    train = people([0, 1, 2])
    assert len(train.images) == 8
    assert list(check_shared(train, people([3, 4]), 'train and val')) == []
    (finding,) = check_shared(train, people([2, 3]), 'train and val')
    assert list(finding.items) == [train.names[2]]


def test_concatenated_and_repeated_datasets_are_taken_apart(generated: Config) -> None:
    train, val = generated.train_dataloader.dataset, generated.val_dataloader.dataset
    together = dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=train), val])
    datasets = find_datasets(
        Config(dict(train_dataloader=dict(dataset=together), val_dataloader=generated.val_dataloader))
    )
    assert [(splits, config.data_prefix.img) for splits, config in datasets] == [
        (['train'], 'train2017'),
        (['train', 'val'], 'val2017'),
    ]


@pytest.mark.parametrize(('kind', 'errors'), [('BottomUpCocoDataset', 1), ('TopDownCocoDataset', 0)])
def test_affinity_fields_need_limbs(kind: str, errors: int, tmp_path: Path) -> None:
    nose = Skeleton('nose', ('nose',), (), (0.03,))
    contents = sound() | dict(categories=[dict(id=1, name='person', keypoints=['nose'])])
    contents['annotations'] = [person(1, keypoints=[20, 15, 2], num_keypoints=1)]
    path = tmp_path / 'people.json'
    path.write_text(json.dumps(contents))
    models = dict(skeleton=nose, annotated=nose) if errors else dict(skeleton=nose)
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type=f'mmpose.{kind}', ann_file=str(path), **models))))
    found = list(inspect_dataset(*find_datasets(cfg)[0]).findings)
    assert len(found) == errors
    assert all('nose has no limb: affinity fields need two keypoints' in finding.text for finding in found)


@pytest.mark.parametrize('kind', ['BottomUpCocoDataset', 'TopDownCocoDataset', 'CocoDataset'])
def test_a_file_that_no_dataset_loads_is_checked_all_the_same(kind: str, tmp_path: Path) -> None:
    keypoints = [20, 15, 2] * len(COCO17.keypoints)
    contents = sound()
    contents['annotations'] = [person(number, keypoints=keypoints, num_keypoints=17) for number in (1, 2, 2)]
    contents['annotations'][0] |= dict(image_id=9, bbox=[1, 2], category_id=None)
    contents['annotations'][1]['image_id'] = 2
    contents['categories'] = [dict(id=1, name='person', keypoints=list(COCO17.keypoints))]
    del contents['images'][1]['width']
    path = tmp_path / 'people.json'
    path.write_text(json.dumps(contents))
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type=f'mmpose.{kind}', ann_file=str(path)))))
    (dataset,) = find_datasets(cfg)
    inspection = inspect_dataset(*dataset)
    texts = ' '.join(finding.text for finding in inspection.findings)
    for text in (
        'image_id',
        'not 4 finite numbers',
        'ids that several annotations',
        'without "width"',
        'that do not load',
    ):
        assert text in texts
    assert inspection.samples is None
    assert inspection.people.left_out == 1


def test_a_file_without_people_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'people.json'
    path.write_text(json.dumps(sound() | dict(annotations=[])))
    dataset = dict(type='mmpose.BottomUpCocoDataset', ann_file=str(path), test_mode=True)  # which loads it
    ((splits, config),) = find_datasets(Config(dict(val_dataloader=dict(dataset=dataset))))
    inspection = inspect_dataset(splits, config)
    assert [tuple(finding) for finding in inspection.findings] == [
        (ERROR, 'annotation files without a labelled keypoint', [path])
    ]
    assert 'people 0' in [' '.join(line.split()) for line in report(inspection, top=5)]


def test_a_list_is_no_annotation_file(tmp_path: Path) -> None:
    path = tmp_path / 'results.json'
    path.write_text('[]')
    for kind in ('BottomUpCocoDataset', 'CocoDataset'):
        cfg = Config(dict(val_dataloader=dict(dataset=dict(type=f'mmpose.{kind}', ann_file=str(path)))))
        (dataset,) = find_datasets(cfg)
        inspection = inspect_dataset(*dataset)
        (finding,) = inspection.findings
        assert finding.text == 'datasets that do not load'
        assert inspection.people is None


def test_a_config_without_datasets() -> None:
    with pytest.raises(UserError, match='no dataset in any of train_dataloader'):
        find_datasets(Config(dict(model=dict())))


def test_flic_is_described_from_its_samples(generated_flic: Path) -> None:
    def dataset(split: str) -> dict:
        return dict(dataset=dict(type='mmpose.FlicDataset', data_root=str(generated_flic / 'flic'), split=split))

    cfg = Config(
        dict(train_dataloader=dataset('train'), val_dataloader=dataset('trainval'), test_dataloader=dataset('test'))
    )
    train, trainval, test = (inspect_dataset(*entry).people for entry in find_datasets(cfg))
    assert len(trainval.owners) == 60
    assert len(test.owners) == 24
    assert test.labelled.all()
    assert not test.hidden_told
    np.testing.assert_allclose(test.boxes[:, 2], test.boxes[:, 3], rtol=1e-4)  # squares, as person_box makes them
    np.testing.assert_allclose(test.areas, test.boxes[:, 2] ** 2, rtol=1e-4)
    assert 'crowds' not in ' '.join(report(_Described(test), top=3))
    assert list(check_shared(train, test, 'train and test')) == []
    (finding,) = check_shared(train, trainval, 'train and val')
    assert finding.grade == ERROR
    assert sorted(finding.items) == sorted(train.names)


@pytest.mark.real_data
def test_genuine_coco(real_coco: Path) -> None:
    """The numbers that the README of the data gives."""
    counts = {}
    for split in ('train', 'val'):
        contents = json.loads((real_coco / f'annotations/person_keypoints_{split}2017.json').read_text())
        people = people_of_coco(contents, COCO17.keypoints, str(real_coco / f'{split}2017'))
        counts[split] = len(people.images), len(people.owners), int(people.labelled.any(axis=1).sum())
        assert list(check_images(people)) == []
        findings = list(check_coco(contents, COCO17.keypoints, evaluated=True, masked=True))
        if split == 'val':
            assert findings == []  # the official annotations, untouched
        else:
            # Its people of several sources share ids, which training does not use.
            ids, areas = findings
            assert (ids.grade, ids.text, len(ids.items)) == (ERROR, 'ids that several annotations have', 1135)
            assert (areas.grade, '0.53 of the box' in areas.text) == (WARNING, True)
    assert counts == dict(train=(2298, 9125, 5650), val=(187, 757, 439))
