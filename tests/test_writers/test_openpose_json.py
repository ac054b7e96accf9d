"""OpenPose's JSON, field by field against its documentation, with numbers worked out by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.files import write_whole
from classicpose.people import People
from classicpose.skeletons import BODY25, COCO17, FLIC10, LSP14, OPENPOSE18, Skeleton
from classicpose.writers.openpose_json import OpenPoseJson, openpose_people, scale_keypoints

# The fields of a person, in the order in which OpenPose writes them.
PERSON_FIELDS = [
    'person_id', 'pose_keypoints_2d', 'face_keypoints_2d', 'hand_left_keypoints_2d', 'hand_right_keypoints_2d',
    'pose_keypoints_3d', 'face_keypoints_3d', 'hand_left_keypoints_3d', 'hand_right_keypoints_3d',
]  # fmt: skip


def some_people(skeleton: Skeleton, count: int = 2, name: str = 'street', **kwargs: object) -> People:
    """People of whom every keypoint is found, anywhere in an image of 101 x 51 pixels."""
    rng = np.random.default_rng(len(skeleton.keypoints))
    keypoints = rng.uniform((1, 1), (100, 50), (count, len(skeleton.keypoints), 2)).astype(np.float32)
    return People(
        name=name,
        image_size=(101, 51),
        skeleton=skeleton,
        keypoints=keypoints,
        keypoint_scores=rng.uniform(0.1, 1, keypoints.shape[:2]).astype(np.float32),
        scores=np.linspace(0.9, 0.5, count, dtype=np.float32),
        boxes=np.tile(np.float32([1, 2, 30, 40]), (count, 1)),
        **kwargs,
    )


def keypoint(person: dict, name: str, skeleton: Skeleton) -> tuple[float, ...]:
    start = 3 * skeleton.keypoints.index(name)
    return tuple(person['pose_keypoints_2d'][start : start + 3])


def check_format(contents: dict, keypoints: int, candidates: bool) -> None:
    """What OpenPose's doc/02_output.md promises its readers."""
    assert list(contents) == ['version', 'people'] + ['part_candidates'] * candidates
    assert contents['version'] == 1.3
    for person in contents['people']:
        assert list(person) == PERSON_FIELDS
        assert len(person['person_id']) == 1
        assert isinstance(person['person_id'][0], int)
        assert len(person['pose_keypoints_2d']) == 3 * keypoints
        assert all(isinstance(value, (int, float)) for value in person['pose_keypoints_2d'])
        assert not any(person[field] for field in PERSON_FIELDS[2:])
    if candidates:
        (peaks,) = contents['part_candidates']
        assert list(peaks) == [str(index) for index in range(keypoints)]
        assert all(len(values) % 3 == 0 for values in peaks.values())


class TestFormat:
    @pytest.mark.parametrize(('layout', 'keypoints'), [('coco18', 18), ('body25', 25)])
    @pytest.mark.parametrize('count', [0, 1, 3])
    @pytest.mark.parametrize('skeleton', [COCO17, OPENPOSE18, FLIC10, LSP14], ids=lambda skeleton: skeleton.name)
    def test_every_field(self, skeleton: Skeleton, count: int, layout: str, keypoints: int) -> None:
        people = some_people(skeleton, count)
        check_format(openpose_people(people, layout), keypoints, candidates=False)
        people.candidates = [np.zeros((index % 3, 3), np.float32) for index in range(len(skeleton.keypoints))]
        contents = openpose_people(people, layout)
        check_format(contents, keypoints, candidates=True)
        assert len(contents['people']) == count

    def test_openposes_own_parts_come_in_their_order(self) -> None:
        people = some_people(OPENPOSE18)
        contents = openpose_people(people)
        for index, person in enumerate(contents['people']):
            rows = np.array(person['pose_keypoints_2d']).reshape(18, 3)
            np.testing.assert_allclose(rows[:, :2], people.keypoints[index], rtol=1e-5)
            np.testing.assert_allclose(rows[:, 2], people.keypoint_scores[index], rtol=1e-5)

    def test_people_in_their_order_with_their_tracks(self) -> None:
        assert [person['person_id'] for person in openpose_people(some_people(COCO17))['people']] == [[-1], [-1]]
        people = some_people(COCO17, track_ids=np.array([7, 0]))
        assert [person['person_id'] for person in openpose_people(people)['people']] == [[7], [0]]

    def test_numbers_are_as_long_as_openposes(self) -> None:
        people = some_people(COCO17, 1)
        people.keypoints[0, 0] = 12.3456789, 1.0
        assert keypoint(openpose_people(people)['people'][0], 'nose', OPENPOSE18)[:2] == (12.3457, 1.0)


class TestParts:
    def test_the_middle_of_the_hips_and_the_neck(self) -> None:
        people = some_people(COCO17, 1)
        names = COCO17.keypoints
        for name, position, score in [
            ('left_hip', (10, 20), 0.75),
            ('right_hip', (20, 26), 0.5),
            ('left_shoulder', (12, 4), 0.25),
            ('right_shoulder', (18, 8), 1.0),
        ]:
            people.keypoints[0, names.index(name)] = position
            people.keypoint_scores[0, names.index(name)] = score
        (person,) = openpose_people(people, 'body25')['people']
        assert keypoint(person, 'mid_hip', BODY25) == (15, 23, 0.5)
        assert keypoint(person, 'neck', BODY25) == (15, 6, 0.25)
        assert keypoint(person, 'left_hip', BODY25) == (10, 20, 0.75)

    @pytest.mark.parametrize('missing', ['left_hip', 'right_hip'])
    def test_no_middle_of_one_hip(self, missing: str) -> None:
        people = some_people(OPENPOSE18, 1)
        people.keypoint_scores[0, OPENPOSE18.keypoints.index(missing)] = 0
        (person,) = openpose_people(people, 'body25')['people']
        assert keypoint(person, 'mid_hip', BODY25) == keypoint(person, missing, BODY25) == (0, 0, 0)

    def test_feet_are_missing(self) -> None:
        (person,) = openpose_people(some_people(COCO17, 1), 'body25')['people']
        assert person['pose_keypoints_2d'][3 * 19 :] == [0] * 18
        assert all(person['pose_keypoints_2d'][: 3 * 19])

    def test_what_flic_does_not_have_is_missing(self) -> None:
        (person,) = openpose_people(some_people(FLIC10, 1))['people']
        found = {name for name in OPENPOSE18.keypoints if keypoint(person, name, OPENPOSE18)[2]}
        assert found == {*FLIC10.keypoints, 'neck'}

    def test_candidates_stand_under_their_parts(self) -> None:
        people = some_people(COCO17, 1, candidates=[np.zeros((0, 3))] * 17)
        people.candidates[COCO17.keypoints.index('left_eye')] = np.array([[10, 5, 0.5], [20, 6, 0.25]])
        (peaks,) = openpose_people(people)['part_candidates']
        assert peaks.pop(str(OPENPOSE18.keypoints.index('left_eye'))) == [10, 5, 0.5, 20, 6, 0.25]
        assert not any(peaks.values())
        (peaks,) = openpose_people(people, 'body25', keypoint_scale=3)['part_candidates']
        assert peaks['16'] == [0.1, 0.1, 0.5, 0.2, 0.12, 0.25]

    def test_not_a_number_is_missing(self) -> None:
        people = some_people(OPENPOSE18, 1)
        people.keypoints[0, 0, 0] = np.nan
        people.keypoint_scores[0, 4] = np.nan
        contents = openpose_people(people, 'body25', keypoint_scale=4)
        assert keypoint(contents['people'][0], 'nose', BODY25) == keypoint(contents['people'][0], 'right_wrist', BODY25)
        assert 'NaN' not in json.dumps(contents)

    def test_a_body_without_common_parts_is_refused_at_once(self, tmp_path: Path) -> None:
        fish = Skeleton('fish', ('mouth', 'tail'), ((0, 1),), (0.1, 0.1))
        for count in (0, 1):
            with pytest.raises(UserError, match=r"'fish' has no keypoint in common.*mouth, tail.*CSV"):
                openpose_people(some_people(fish, count))
        with pytest.raises(UserError, match=r"'fish' has no keypoint in common"):
            OpenPoseJson(tmp_path / 'json', skeleton=fish)
        assert not (tmp_path / 'json').exists()


class TestScales:
    PARTS = np.array([[50.0, 10.0, 0.5], [0.0, 0.0, 0.9], [100.0, 50.0, 0.1], [0.0, 0.0, 0.0]])
    MISSING = (0, 0, 0)

    @pytest.mark.parametrize(
        ('mode', 'net_size', 'expected'),
        [
            (0, None, [(50, 10, 0.5), (0, 0, 0.9), (100, 50, 0.1), MISSING]),
            (2, None, [(50, 10, 0.5), (0, 0, 0.9), (100, 50, 0.1), MISSING]),
            (3, None, [(0.5, 0.2, 0.5), (0, 0, 0.9), (1, 1, 0.1), MISSING]),
            (4, None, [(0, -0.6, 0.5), (-1, -1, 0.9), (1, 1, 0.1), MISSING]),
            # 101 x 51 pixels into 401 x 251: the width binds, 400 / 100 < 250 / 50.
            (1, (401, 251), [(200, 40, 0.5), (0, 0, 0.9), (400, 200, 0.1), MISSING]),
            (1, (401, 101), [(100, 20, 0.5), (0, 0, 0.9), (200, 100, 0.1), MISSING]),
            (1, (-1, 101), [(100, 20, 0.5), (0, 0, 0.9), (200, 100, 0.1), MISSING]),
            (1, (51, -1), [(25, 5, 0.5), (0, 0, 0.9), (50, 25, 0.1), MISSING]),
        ],
    )
    def test_by_hand(self, mode: int, net_size: tuple[int, int] | None, expected: list) -> None:
        keypoints = self.PARTS.copy()
        np.testing.assert_allclose(scale_keypoints(keypoints, (101, 51), mode, net_size), expected, atol=1e-12)
        np.testing.assert_array_equal(keypoints, self.PARTS)

    def test_an_image_of_one_pixel(self) -> None:
        one = np.array([[0.0, 0.0, 1.0]])
        for mode, expected in [(1, (0, 0, 1)), (3, (0, 0, 1)), (4, (-1, -1, 1))]:
            np.testing.assert_array_equal(scale_keypoints(one, (1, 1), mode, (368, 368)), [expected])

    def test_the_json_is_scaled(self) -> None:
        people = some_people(OPENPOSE18, 1)
        people.keypoints[0, 0] = 75, 25
        people.keypoint_scores[0, 1] = 0
        (person,) = openpose_people(people, keypoint_scale=4)['people']
        assert person['pose_keypoints_2d'][:2] == [0.5, 0]
        assert person['pose_keypoints_2d'][3:6] == [0, 0, 0]

    def test_impossible_settings_are_explained(self, tmp_path: Path) -> None:
        for settings, complaint in [
            (dict(keypoint_scale=5), 'keypoint_scale 5: give one of 0, 1, 2, 3, 4'),
            (dict(keypoint_scale=1), 'give net_resolution'),
            (dict(keypoint_scale=1, net_size=(-1, -1)), 'give net_resolution'),
            (dict(layout='body_25'), "no layout 'body_25': give one of coco18, body25"),
        ]:
            with pytest.raises(UserError, match=re.escape(complaint)):
                OpenPoseJson(tmp_path / 'json', **settings)
        assert not (tmp_path / 'json').exists()


class TestFiles:
    def test_one_an_image_named_as_openpose_names_them(self, tmp_path: Path) -> None:
        names = ['street', 'walk_000000000012', 'a.b']
        with OpenPoseJson(tmp_path / 'new' / 'json', layout='body25') as writer:
            for count, name in enumerate(names):
                writer.write(some_people(COCO17, count, name), None)
        files = sorted((tmp_path / 'new' / 'json').iterdir())
        assert [file.name for file in files] == sorted(f'{name}_keypoints.json' for name in names)
        for count, name in enumerate(names):
            contents = json.loads((tmp_path / 'new' / 'json' / f'{name}_keypoints.json').read_text())
            check_format(contents, 25, candidates=False)
            assert contents == openpose_people(some_people(COCO17, count, name), 'body25')

    def test_a_file_is_there_whole_or_not_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / 'a.json'

        def interrupted(unfinished: Path) -> None:
            unfinished.write_text('{"version":')
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_whole(path, interrupted)
        assert not list(tmp_path.iterdir())
        path.write_text('of an earlier run')
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, interrupted)
        assert [file.read_text() for file in tmp_path.iterdir()] == ['of an earlier run']

    def test_a_folder_that_cannot_be_written_is_explained(self, tmp_path: Path) -> None:
        (tmp_path / 'file').write_text('')
        with pytest.raises(UserError, match='cannot make the folder'):
            OpenPoseJson(tmp_path / 'file')
        with OpenPoseJson(tmp_path / 'json') as writer:
            (tmp_path / 'json').rmdir()
            with pytest.raises(UserError, match=r'cannot write .*street_keypoints\.json \(No such file'):
                writer.write(some_people(COCO17))


def test_hands_and_a_face_fill_their_fields_and_no_others() -> None:
    people = some_people(OPENPOSE18)
    rng = np.random.default_rng(0)
    hand = rng.uniform(1, 90, (2, 21, 3)).astype(np.float32)
    hand[1] = 0
    hand[0, 3] = (np.nan, 2, 1)
    people.parts = dict(hand_left=hand, face=rng.uniform(1, 90, (2, 70, 3)).astype(np.float32))
    persons = openpose_people(people)['people']
    assert list(persons[0]) == list(openpose_people(some_people(OPENPOSE18))['people'][0])
    for person, found in zip(persons, hand, strict=True):
        assert len(person['face_keypoints_2d']) == 3 * 70
        assert person['hand_right_keypoints_2d'] == person['face_keypoints_3d'] == []
        table = np.array(person['hand_left_keypoints_2d']).reshape(21, 3)
        np.testing.assert_allclose(table, np.where(np.isfinite(found).all(axis=1, keepdims=True), found, 0), rtol=1e-5)
    scaled = openpose_people(people, keypoint_scale=3)['people'][0]['hand_left_keypoints_2d']
    np.testing.assert_allclose(scaled[0], hand[0, 0, 0] / (people.image_size[0] - 1), rtol=1e-5)


def test_mpi_is_a_layout_too() -> None:
    (person, *_) = openpose_people(some_people(OPENPOSE18), 'mpi15')['people']
    assert len(person['pose_keypoints_2d']) == 3 * 15
    assert person['pose_keypoints_2d'][:3] == [0, 0, 0]  # the top of the head
    assert any(person['pose_keypoints_2d'][3:6])
