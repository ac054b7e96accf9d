"""Boxes around people that a bottom-up network found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor
from classicpose.inference.boxes import BoxesOfPeople, BoxFile, upper_body_squares, whole_body_boxes
from classicpose.inference.frames import Frame
from classicpose.people import People, boxes_around
from classicpose.skeletons import COCO17, FLIC10, OPENPOSE18
from custom_modules.datasets.flic import person_box, read_flic


def people(skeleton, keypoints: np.ndarray, scores: np.ndarray) -> People:
    boxes = boxes_around(keypoints, scores > 0).astype(np.float32)
    return People('a', (100, 100), skeleton, keypoints, scores, np.full(len(keypoints), 0.7, np.float32), boxes)


def test_a_square_is_three_torsos_wide_and_around_the_torso() -> None:
    keypoints = np.zeros((4, 18, 2), np.float32)
    scores = np.zeros((4, 18), np.float32)
    places = dict(left_shoulder=(30, 10), right_shoulder=(10, 10), left_hip=(25, 50), right_hip=(15, 50), nose=(22, 2))
    for name, place in places.items():
        index = OPENPOSE18.keypoints.index(name)
        keypoints[:, index], scores[:, index] = place, 0.5
    scores[1, OPENPOSE18.keypoints.index('left_hip')] = 0
    for name in ('left_hip', 'right_hip'):
        scores[2:, OPENPOSE18.keypoints.index(name)] = 0
    keypoints[3] = 0
    scores[3, OPENPOSE18.keypoints.index('nose')] = 0
    squares = upper_body_squares(people(OPENPOSE18, keypoints, scores))
    np.testing.assert_allclose(squares[0], [20 - 60, 30 - 60, 20 + 60, 30 + 60, 0.7], rtol=1e-6)
    torso = np.hypot(5, 40)
    np.testing.assert_allclose(
        squares[1, :4], [17.5 - 1.5 * torso, 30 - 1.5 * torso, 17.5 + 1.5 * torso, 30 + 1.5 * torso]
    )
    np.testing.assert_allclose(squares[2, :4], [10, -4, 30, 16])  # nose and shoulders alone
    assert upper_body_squares(people(OPENPOSE18, keypoints[:0], scores[:0])).shape == (0, 5)


@pytest.mark.real_data
def test_it_is_flics_box(real_flic) -> None:
    """The annotated keypoints of genuine people lead to the boxes that the cascade was trained on."""
    flic = read_flic(str(real_flic / 'examples.mat'))
    keypoints = flic.coords[:, : len(FLIC10.keypoints)].astype(np.float32)
    squares = upper_body_squares(people(FLIC10, keypoints, np.ones(keypoints.shape[:2], np.float32)))[:, :4]
    boxes = person_box(flic.torso_boxes)
    sides, own = (values[:, 2] - values[:, 0] for values in (boxes, squares))
    assert 0.97 < np.median(own / sides) < 1.03
    middles = (squares[:, :2] + squares[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2
    assert np.abs(np.median(middles / sides[:, None], axis=0)).max() < 0.01


def test_a_whole_body_reaches_beyond_its_keypoints() -> None:
    keypoints = np.zeros((1, 18, 2), np.float32)
    scores = np.zeros((1, 18), np.float32)
    keypoints[0, :2], scores[0, :2] = [(10, 20), (30, 120)], 0.5
    boxes = whole_body_boxes(people(OPENPOSE18, keypoints, scores))
    np.testing.assert_allclose(boxes, [[10 - 7, 20 - 13, 30 + 7, 120 + 9, 0.7]], rtol=1e-6)
    assert whole_body_boxes(people(OPENPOSE18, keypoints[:0], scores[:0])).shape == (0, 5)


@pytest.mark.parametrize(('skeleton', 'expected'), [(COCO17, whole_body_boxes), (FLIC10, upper_body_squares)])
def test_the_network_that_looks_again_decides(skeleton, expected) -> None:
    keypoints = np.random.default_rng(0).uniform(0, 100, (2, 18, 2)).astype(np.float32)
    found = people(OPENPOSE18, keypoints, np.ones((2, 18), np.float32))
    np.testing.assert_array_equal(BoxesOfPeople(lambda frame: found, skeleton)(None), expected(found))


def test_people_are_found_by_a_bottom_up_network() -> None:
    photograph = REPOSITORY / 'docs/samples/baseball_1888.jpg'
    found = Predictor('openpose_lite', device='cpu')(photograph)
    again = Predictor('deeppose_flic_lite0', boxes='openpose_lite', device='cpu')(photograph)
    assert len(found) == len(again) > 0
    np.testing.assert_allclose(again.boxes, upper_body_squares(found)[:, :4], atol=0.5)


def test_boxes_by_a_wrong_name() -> None:
    with pytest.raises(UserError, match='boxes deeppose_flic_lite0: .*name a bottom-up network'):
        Predictor('deeppose_flic_lite0', boxes='deeppose_flic_lite0', device='cpu')
    with pytest.raises(UserError, match="no model 'openpose_lit': did you mean openpose_lite"):
        Predictor('deeppose_flic_lite0', boxes='openpose_lit', device='cpu')


@pytest.mark.real_data
def test_it_is_cocos_box(real_coco: Path) -> None:
    """The annotated keypoints of genuine people, most of whose keypoints are labelled, lead to COCO's boxes."""
    contents = json.loads((real_coco / 'annotations/person_keypoints_val2017.json').read_text())
    annotations = [person for person in contents['annotations'] if person.get('num_keypoints', 0) >= 13]
    keypoints = np.reshape([person['keypoints'] for person in annotations], (-1, 17, 3)).astype(np.float32)
    own = whole_body_boxes(people(COCO17, keypoints[..., :2], keypoints[..., 2]))[:, :4]
    x, y, width, height = np.transpose([person['bbox'] for person in annotations])
    sides = np.maximum(width, height)[:, None]
    assert len(own) > 100
    assert np.abs(np.median((own - np.column_stack([x, y, x + width, y + height])) / sides, axis=0)).max() < 0.03


def box_file(folder: Path, contents: object) -> BoxFile:
    (folder / 'boxes.json').write_text(json.dumps(contents))
    return BoxFile(folder / 'boxes.json')


def boxes_of_images(*names: str) -> dict:
    """COCO's, of the n-th image n boxes."""
    images = [dict(id=number, file_name=name) for number, name in enumerate(names, start=1)]
    boxes = [dict(image_id=image['id'], bbox=[1, 2, 3, 4]) for image in images for _ in range(image['id'])]
    return dict(images=images, annotations=boxes)


def frame(path: str) -> Frame:
    return Frame(np.zeros((4, 4, 3), np.uint8), Path(path).stem, path, None, path)


@pytest.mark.parametrize(
    ('names', 'path', 'count'),
    [
        (('a/0001.jpg', 'b/0001.jpg'), 'a/0001.jpg', 1),
        (('a/0001.jpg', 'b/0001.jpg'), 'b/0001.png', 2),
        (('a\\0001.jpg', 'b\\0001.jpg'), 'a/0001.jpg', 1),
        (('C:\\data\\a\\0001.jpg', 'C:\\data\\b\\0001.jpg'), '/home/data/b/0001.jpg', 2),
        (('b/0001.jpg', '0001.jpg', 'a/0001.jpg'), 'c/0001.jpg', 2),
        (('x/b/0001.jpg', 'b/0001.jpg'), './x/../b/0001.jpg', 2),
        (('a/0001.jpg', 'a/0001.png'), 'a/0001.png', 2),
        (('elsewhere/0001.jpg',), 'a/0001.jpg', 1),
        (('./street.v2',), 'street.v2.jpg', 1),
        (('street.v2.JPG',), 'street.v2.jpg', 1),
        (('other.jpg',), 'street.jpg', 0),
    ],
)
def test_the_longest_end_of_the_path_decides(
    names: tuple[str, ...], path: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(box_file(tmp_path, boxes_of_images(*names))(frame(path))) == count


def test_which_of_two_folders_cannot_be_told(tmp_path: Path) -> None:
    boxes = box_file(tmp_path, boxes_of_images('a/0001.jpg', 'b\\0001.jpg'))
    with pytest.raises(UserError, match=r'c/0001\.jpg may be a/0001\.jpg or b/0001\.jpg: give it in its folder'):
        boxes(frame('c/0001.jpg'))


def test_one_number_is_not_two_images(tmp_path: Path) -> None:
    boxes = box_file(tmp_path, [dict(image_id=1, bbox=[1, 2, 3, 4])])
    assert len(boxes(frame('left_0001.jpg'))) == len(boxes(frame('left_0001.jpg'))) == 1
    with pytest.raises(UserError, match='left_0001 and right_0001 both end in 1, by which the file names an image'):
        boxes(frame('right_0001.jpg'))


def test_boxes_of_another_category_alone(tmp_path: Path) -> None:
    entry = dict(image_id=1, category_id=0, bbox=[1, 2, 3, 4])
    message = 'all 2 boxes are of category 0; people have category_id 1, as in COCO, or none'
    with pytest.raises(UserError, match=message):
        box_file(tmp_path, [entry, entry])
    assert len(box_file(tmp_path, [entry, entry | dict(category_id=1)])(frame('1.jpg'))) == 1


def test_boxes_behind_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / 'boxes.json').write_text('\ufeff' + json.dumps(boxes_of_images('ä.jpg')), encoding='utf-8')
    assert len(BoxFile(tmp_path / 'boxes.json')(frame('ä.jpg'))) == 1


def test_boxes_of_none_of_the_images(tmp_path: Path) -> None:
    boxes = box_file(tmp_path, boxes_of_images('a/1.jpg', 'b/2.jpg'))
    boxes(frame('street.jpg'))
    with pytest.raises(UserError, match=r'names none of the images; it names a/1\.jpg, b/2\.jpg'):
        boxes.check_found()
    boxes(frame('2.jpg'))
    boxes.check_found()
