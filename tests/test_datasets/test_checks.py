from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_annotations import NAMES, person, sound

from classicpose.skeletons import COCO23, FACE68, HAND21, Skeleton
from custom_modules.datasets.checks.coco import ERROR, WARNING, Findings, check_coco
from custom_modules.datasets.checks.people import people_of_coco


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
        (dict(area=0), ERROR, 'area is less than a hundredth'),
        (dict(area=1), ERROR, 'area is less than a hundredth'),
        (dict(keypoints=[0.2, 0.15, 2, 1, 0.25, 1, 0, 0, 0]), ERROR, 'all lie between 0 and 1'),
        (dict(segmentation=[[10, 10, 50, 60]]), ERROR, 'polygons of three points or more'),
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


def test_people_annotated_twice() -> None:
    contents = sound()
    contents['annotations'].append(person(15))
    assert one(contents) == (ERROR, 'people annotated twice, with the same keypoints in the same image', [15])
    contents['annotations'][-1]['image_id'] = 2
    assert found(contents) == []


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
