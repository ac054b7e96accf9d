from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from pycocotools.coco import COCO

from custom_modules.datasets.checks.coco import ERROR, WARNING, Findings, check_coco
from custom_modules.datasets.checks.images import check_images, check_shared
from custom_modules.datasets.checks.people import People, people_of_coco, richest_images
from custom_modules.datasets.checks.report import find_datasets, inspect_dataset, report
from custom_modules.errors import UserError
from custom_modules.skeletons import COCO17, COCO23, FACE68, HAND21, Skeleton

NAMES = ('head', 'hand', 'foot')
WIDTH, HEIGHT = 100, 80


def person(number: int, image_id: int = 1, **changes: object) -> dict:
    """Three keypoints: a visible one, a hidden one and an unlabelled one."""
    return (
        dict(
            id=number,
            image_id=image_id,
            category_id=1,
            iscrowd=0,
            keypoints=[20, 15, 2, 30, 25, 1, 0, 0, 0],
            num_keypoints=2,
            bbox=[10, 10, 40, 50],
            area=1234,
            segmentation=[[10, 10, 50, 10, 50, 60]],
        )
        | changes
    )


def sound() -> dict:
    """Two images, three people and a crowd."""
    nobody = dict(keypoints=[0] * 9, num_keypoints=0)
    return dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT) for i in (1, 2)],
        annotations=[
            person(11),
            person(12, area=900, **nobody),
            person(13, image_id=2, area=9999, keypoints=[9, 9, 2] * 3, num_keypoints=3, bbox=[0, 0, 90, 80]),
            person(14, image_id=2, iscrowd=1, **nobody),
        ],
        categories=[dict(id=1, name='person', keypoints=list(NAMES))],
    )


def found(contents: dict, **more: bool) -> list[tuple[str, str, list]]:
    settings = dict(evaluated=True, masked=True) | more
    return [(grade, text, list(items)) for grade, text, items in check_coco(contents, NAMES, **settings)]


def one(contents: dict, **more: bool) -> tuple[str, str, list]:
    (finding,) = found(contents, **more)
    return finding


def test_a_sound_file_has_no_findings() -> None:
    assert found(sound()) == []


@pytest.mark.parametrize(
    ('changes', 'grade', 'text'),
    [
        (dict(id=12), ERROR, 'ids that several annotations have'),
        (dict(id='a'), ERROR, 'no whole number'),
        (dict(image_id=3), ERROR, 'image_id is not among'),
        (dict(image_id='1'), ERROR, 'image_id is not among'),
        (dict(image_id=[1]), ERROR, 'image_id is not among'),
        (dict(category_id=2), ERROR, 'category_id is not among'),
        (dict(area=0), ERROR, 'area is 0 or less'),
        (dict(area='big'), ERROR, 'area is no number'),
        (dict(area=float('nan')), ERROR, 'area is no number'),
        (dict(area=0.53 * 2000), WARNING, '0.53 of the box'),
        (dict(area=2000), WARNING, '1 of the box'),
        (dict(num_keypoints=0), ERROR, 'num_keypoints is 0 though'),
        (dict(num_keypoints=3), WARNING, 'not the number of labelled'),
        (dict(keypoints=[1, 2, 2]), ERROR, 'not 9 finite numbers'),
        (dict(keypoints='none'), ERROR, 'not 9 finite numbers'),
        (dict(keypoints=[1, 2, '2'] * 3), ERROR, 'not 9 finite numbers'),
        (dict(keypoints=[20, 15, 0.7, 30, 25, 1, 0, 0, 0]), ERROR, 'visibilities other'),
        (dict(keypoints=[20, 15, 2, 0, 0, 1, 0, 0, 0]), ERROR, 'at (0, 0)'),
        (dict(keypoints=[20, 81, 2, 30, 25, 1, 0, 0, 0]), WARNING, 'keypoints outside'),
        (dict(keypoints=[20, 15, 2, 30, 25, 1, 500, 0, 0]), None, ''),  # it is not labelled
        (dict(bbox=[10, 10, 40]), ERROR, 'not 4 finite numbers'),
        (dict(bbox=[10, 10, 0, 50]), ERROR, 'without width or height'),
        (dict(bbox=[10, 10, 40, -50]), ERROR, 'without width or height'),
        (dict(bbox=[100, 10, 40, 50]), ERROR, 'wholly outside'),
        (dict(bbox=[-40, 10, 40, 50]), ERROR, 'wholly outside'),
        (dict(bbox=[70, 10, 40, 50]), WARNING, 'partly outside'),
        (dict(bbox=[60, 10, 40.9, 50]), None, ''),
    ],
)
def test_one_mistake_of_one_person_is_one_finding(changes: dict, grade: str | None, text: str) -> None:
    contents = sound()
    contents['annotations'][0] |= changes
    if grade is None:
        assert found(contents) == []
        return
    finding = one(contents)
    assert finding[0] == grade
    assert text in finding[1]
    assert finding[2] == [changes.get('id', 11)]


@pytest.mark.parametrize(
    'key', ['id', 'image_id', 'category_id', 'keypoints', 'bbox', 'area', 'num_keypoints', 'iscrowd']
)
def test_missing_fields(key: str) -> None:
    contents = sound()
    del contents['annotations'][0][key]
    assert one(contents) == (ERROR, f'annotations without "{key}"', ['without id' if key == 'id' else 11])
    # In training alone nothing breaks without them.
    optional = key in ('num_keypoints', 'iscrowd')
    assert one(contents, evaluated=False)[0] == (WARNING if optional else ERROR)


def test_people_that_no_mask_hides_matter_to_bottom_up_training() -> None:
    contents = sound()
    for annotation in contents['annotations']:
        del annotation['segmentation']
    assert one(contents)[2] == [12, 14]
    assert found(contents, masked=False) == []


def test_crowds_need_no_area() -> None:
    contents = sound()
    contents['annotations'][3]['area'] = 0
    assert found(contents) == []


@pytest.mark.parametrize(
    ('change', 'grade', 'text', 'items'),
    [
        (lambda file: file.pop('categories'), ERROR, 'lists that the file lacks', ['categories']),
        (lambda file: file['images'].append(7), ERROR, 'images that are no objects', [2]),
        (lambda file: file['images'][1].update(id=1), ERROR, 'ids that several images have', [1]),
        (lambda file: file['images'][1].update(file_name='1.jpg'), WARNING, 'file names that several', ['1.jpg']),
        (lambda file: file['images'][0].pop('width'), ERROR, 'images without "width"', [1]),
        (lambda file: file['images'][0].update(height=0), ERROR, 'no positive whole number', [1]),
        (lambda file: file['categories'][0].pop('keypoints'), WARNING, 'do not name their keypoints', ['person']),
        (lambda file: file['categories'][0]['keypoints'].reverse(), ERROR, 'another order', ['person']),
        (lambda file: file['categories'][0].update(keypoints=['head', 'arm', 'foot']), WARNING, 'name', ['arm/hand']),
        (lambda file: file['categories'][0]['keypoints'].pop(), ERROR, "config's 3", ['person (2)']),
    ],
)
def test_mistakes_of_the_file(change: Callable[[dict], object], grade: str, text: str, items: list) -> None:
    contents = sound()
    change(contents)
    matching = [finding for finding in found(contents) if text in finding[1]]
    assert [(finding[0], finding[2]) for finding in matching] == [(grade, items)]


def test_the_check_goes_on_after_the_first_finding_and_tells_errors_first() -> None:
    contents = sound()
    contents['annotations'][0].update(num_keypoints=1, area=0)
    contents['annotations'][2].update(bbox=[0, 0, 0, 0])
    assert [(grade, items) for grade, _, items in found(contents)] == [(ERROR, [11]), (ERROR, [13]), (WARNING, [11])]


def test_a_finding_is_a_line_with_its_count_and_the_first_items() -> None:
    findings = Findings()
    findings.add(WARNING, 'odd numbers', *range(1, 2400, 2))
    (finding,) = findings
    assert str(finding).split() == ['warning', '1,200', 'odd', 'numbers:', '1,', '3,', '5,', '7,', '9,', '...']


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
keys = st.sampled_from(sorted({'images', 'categories', *person(1), *sound()['images'][0], 'name'}))


@given(st.lists(st.tuples(st.sampled_from(['images', 'annotations', 'categories']), keys, junk), max_size=5), junk)
@settings(deadline=None)
def test_no_file_is_too_malformed(changes: list[tuple[str, str, object]], whole: object) -> None:
    contents = sound()
    for kind, key, value in changes:
        contents[kind][0][key] = value
    for malformed in (contents, contents | dict(images=whole), contents | dict(annotations=whole, categories=whole)):
        for finding in check_coco(malformed, NAMES, evaluated=True, masked=True):
            assert '\n' not in finding.text
        people = people_of_coco(malformed, NAMES, '')
        assert len(people.owners) == len(people.areas) == len(people.keypoints)


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


def test_the_check_changes_nothing() -> None:
    contents = sound()
    before = copy.deepcopy(contents)
    check_coco(contents, NAMES, evaluated=True, masked=True)
    people_of_coco(contents, NAMES, '')
    assert contents == before


@pytest.mark.parametrize('skeleton', [COCO23, HAND21, FACE68], ids=lambda skeleton: skeleton.name)
def test_files_of_whole_bodies_are_sound_for_every_part_of_them(skeleton: Skeleton, generated_data: Path) -> None:
    path = generated_data / 'generated/annotations/coco_wholebody_val_v1.0.json'
    findings = check_coco(json.loads(path.read_text()), skeleton.keypoints, evaluated=True, masked=True)
    assert not [str(finding) for finding in findings if finding.grade == ERROR]
