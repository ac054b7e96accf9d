"""Feet, hands and faces of synthetic people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classicpose.skeletons import FACE68, FEET6, HAND21
from custom_modules.datasets.synthetic.coco import generate_coco
from custom_modules.datasets.synthetic.details import face_keypoints, foot_keypoints, hand_keypoints, whole_body
from custom_modules.datasets.synthetic.people import PARTS, draw_person, read_keypoints
from custom_modules.datasets.synthetic.person import Person, sample_look
from custom_modules.datasets.synthetic.poses import sample_pose

SIDE = 600


def person(seed: int, yaw: float = 0.0) -> Person:
    """400 pixels tall, amid a square image."""
    rng = np.random.default_rng(seed)
    joints, head = sample_pose(rng, yaw)
    return Person(joints=joints, head=head, yaw=yaw, look=sample_look(rng)).placed(400, np.full(2, SIDE / 2))


def parts_at(drawn: Person, points: np.ndarray) -> list[str]:
    """The part of the body that is drawn at each point (M, 2); '' where none is."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    draw_person(np.zeros((SIDE, SIDE, 3), np.uint8), labels, drawn, 1)
    numbers = (int(labels[round(y), round(x)]) for x, y in points)
    return [PARTS[number - 1] if number else '' for number in numbers]


def test_keypoints_lie_where_hands_feet_and_faces_are_drawn() -> None:
    """But for what another limb hides."""
    expected = dict(left_forearm=0, right_forearm=0, left_shin=0, right_shin=0, head=0)
    right = dict(expected)
    for seed in range(12):
        drawn = person(seed)
        feet = foot_keypoints(drawn)
        for part, points in (
            ('left_forearm', hand_keypoints(drawn, 'left')),
            ('right_forearm', hand_keypoints(drawn, 'right')),
            ('left_shin', feet[:3]),
            ('right_shin', feet[3:]),
            ('head', face_keypoints(drawn)),
        ):
            expected[part] += len(points)
            right[part] += parts_at(drawn, points).count(part)
    for part, count in expected.items():
        assert right[part] > 0.75 * count, part


def test_thumbs_point_to_the_body_and_from_behind_to_the_other_side() -> None:
    """A hand that hangs down has its thumb on the side of the other hand."""
    for yaw, turn in ((0.0, 1), (np.pi, -1)):
        drawn = person(0, yaw)
        for side in ('left', 'right'):
            hand = hand_keypoints(drawn, side)
            forward = drawn.at(f'{side}_hand')[:2] - drawn.at(f'{side}_wrist')[:2]
            thumb = hand[HAND21.keypoints.index('thumb_2')] - hand[0]
            little = hand[HAND21.keypoints.index('little_1')] - hand[0]
            sides = [np.sign(forward[0] * point[1] - forward[1] * point[0]) for point in (thumb, little)]
            assert sides == ([1, -1] if (side == 'left') == (turn == 1) else [-1, 1])


def test_the_persons_left_is_on_the_right_of_a_face_that_looks_here() -> None:
    face = face_keypoints(person(1))
    for index, (name, mirrored) in enumerate(zip(FACE68.keypoints, FACE68.flip_indices, strict=True)):
        if name.startswith('left_'):
            assert face[index, 0] > face[mirrored, 0], name
    heights = dict(zip(FACE68.keypoints, face[:, 1], strict=True))
    assert heights['right_brow_3'] < heights['nose_base'] < heights['outer_upper_lip'] < heights['chin']


def test_what_is_hidden_is_not_valid() -> None:
    drawn = person(2, np.pi)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    draw_person(np.zeros((SIDE, SIDE, 3), np.uint8), labels, drawn, 1)
    entries = whole_body(drawn, read_keypoints(drawn, labels, 1), (SIDE, SIDE))
    assert not entries['face_valid']
    assert not any(entries['face_kpts'])
    nobody = whole_body(drawn, np.zeros((17, 3)), (SIDE, SIDE))
    assert not any(nobody[f'{part}_valid'] or any(nobody[f'{part}_kpts']) for part in ('foot', 'lefthand', 'face'))


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """What COCO's and COCO-WholeBody's file of the same images hold."""
    root = tmp_path_factory.mktemp('drawn')
    generate_coco(root, 30, 1, size=(256, 256), seed=5, workers=1)
    names = 'person_keypoints_train2017', 'coco_wholebody_train_v1.0'
    return tuple(json.loads(Path(root / f'annotations/{name}.json').read_text()) for name in names)


def test_files_of_whole_bodies_are_cocos_and_more(files: tuple[dict, dict]) -> None:
    plain, whole = files
    assert plain['images'] == whole['images']
    for annotation, more in zip(plain['annotations'], whole['annotations'], strict=True):
        assert annotation == {key: more[key] for key in annotation}
        for part, count in (('foot', len(FEET6.keypoints)), ('lefthand', 21), ('righthand', 21), ('face', 68)):
            table = np.array(more[f'{part}_kpts']).reshape(count, 3)
            assert not table[table[:, 2] == 0].any()
            if part != 'foot' and more[f'{part}_valid']:
                assert (table[:, 2] == 2).all()
                x, y, width, height = more[f'{part}_box']
                np.testing.assert_allclose(table[:, :2].min(axis=0), (x, y), atol=0.11)
                np.testing.assert_allclose(np.ptp(table[:, :2], axis=0), (width, height), atol=0.11)


def test_most_people_have_feet_and_many_have_hands_and_faces(files: tuple[dict, dict]) -> None:
    people = [a for a in files[1]['annotations'] if a['num_keypoints']]
    share = {part: np.mean([a[f'{part}_valid'] for a in people]) for part in ('foot', 'lefthand', 'righthand', 'face')}
    assert share['foot'] > 0.7
    assert min(share['lefthand'], share['righthand'], share['face']) > 0.3
