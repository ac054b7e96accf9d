"""ControlNet's JSON and picture, held against the picture that comfyui_controlnet_aux drew of this JSON."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.people import PARTS, People
from classicpose.skeletons import BODY25, OPENPOSE18, Skeleton
from classicpose.writers.controlnet import ControlNet

# Its draw_poses(*decode_json_as_poses(JSON)), run once on the JSON of `two_people()` with the threshold 0.2.
GENUINE = Path(__file__).with_name('controlnet.png')
SIZE = (240, 180)


def two_people(**settings: object) -> People:
    """All over the image, with feet, hands and faces, a part of the keypoints uncertain."""
    rng = np.random.default_rng(0)

    def positions(count: int) -> np.ndarray:
        return (rng.uniform(-0.03, 1.03, (2, count, 2)) * SIZE).astype(np.float32)

    def scores(count: int) -> np.ndarray:
        return rng.uniform(0, 1, (2, count)).astype(np.float32)

    sizes = {name: len(skeleton.keypoints) for name, skeleton in PARTS.items()}
    parts = {name: np.dstack([positions(count), scores(count)]) for name, count in sizes.items()}
    parts['face'][1, :, 2] = 0  # not found
    people = dict(keypoints=positions(25), keypoint_scores=scores(25), scores=np.ones(2, np.float32))
    return People('street', SIZE, BODY25, boxes=np.zeros((2, 4), np.float32), parts=parts, **people | settings)


def written(folder: Path, people: People) -> tuple[dict, np.ndarray, list]:
    """The JSON, the picture and the list of frames."""
    with ControlNet(folder, 0.2) as writer:
        writer.write(people, None)
    contents = json.loads((folder / f'{people.name}_controlnet.json').read_text())
    picture = cv2.imread(str(folder / f'{people.name}_controlnet.png'))
    return contents, picture, json.loads((folder / 'frames.json').read_text())


def test_the_picture_is_the_genuine_program_s(tmp_path: Path) -> None:
    _, picture, _ = written(tmp_path, two_people())
    differs = (picture != cv2.imread(str(GENUINE))).any(axis=2).mean()
    # OpenCV 5 fills the edges of ellipses differently.
    assert differs == 0 if cv2.__version__.startswith('4') else differs < 0.01


def test_json_field_by_field(tmp_path: Path) -> None:
    people = two_people()
    contents, _, _ = written(tmp_path, people)
    assert (contents['canvas_width'], contents['canvas_height']) == SIZE
    assert len(contents['people']) == 2
    for person, entry in enumerate(contents['people']):
        table = np.reshape(entry['pose_keypoints_2d'], (18, 3))
        for name, (x, y, score) in zip(OPENPOSE18.keypoints, table, strict=True):
            place = BODY25.keypoints.index(name)
            there = people.keypoint_scores[person, place] > 0.2
            assert score == there
            np.testing.assert_allclose((x, y), people.keypoints[person, place] * there, rtol=1e-5)
        assert len(entry['foot_keypoints_2d']) == 3 * 6
        assert len(entry['hand_left_keypoints_2d']) == len(entry['hand_right_keypoints_2d']) == 3 * 21
        feet = np.reshape(entry['foot_keypoints_2d'], (6, 3))[:, 2]
        np.testing.assert_array_equal(feet, people.keypoint_scores[person, 19:] > 0.2)
    # A face is drawn from 0.4 on, as in OpenPose.
    first, second = (entry['face_keypoints_2d'] for entry in contents['people'])
    np.testing.assert_array_equal(np.reshape(first, (70, 3))[:, 2], people.parts['face'][0, :, 2] > 0.4)
    assert second is None


def test_the_list_of_frames_has_zeros_for_null(tmp_path: Path) -> None:
    """ComfyUI's own nodes reshape every field to its number of keypoints."""
    people = two_people()
    people.parts = {}
    contents, _, frames = written(tmp_path, people)
    for entry, filled in zip(contents['people'], frames[0]['people'], strict=True):
        assert entry['face_keypoints_2d'] is entry['hand_left_keypoints_2d'] is entry['hand_right_keypoints_2d'] is None
        for part, count in dict(pose=18, foot=6, face=70, hand_left=21, hand_right=21).items():
            assert np.reshape(filled[f'{part}_keypoints_2d'], (-1, 3)).shape == (count, 3)
        assert filled['pose_keypoints_2d'] == entry['pose_keypoints_2d']
    assert frames[0]['canvas_height'] == SIZE[1]


def test_nobody_certain_is_a_black_picture(tmp_path: Path) -> None:
    contents, picture, frames = written(tmp_path, two_people(keypoint_scores=np.full((2, 25), 0.2, np.float32)))
    assert contents['people'] == frames[0]['people'] == []
    assert picture.shape == (*SIZE[::-1], 3)
    assert not picture.any()


def test_a_body_without_any_of_the_keypoints(tmp_path: Path) -> None:
    tail = Skeleton('tail', ('root', 'tip'), ((0, 1),), (0.1, 0.1))
    people = two_people(keypoints=np.ones((2, 2, 2), np.float32), keypoint_scores=np.ones((2, 2), np.float32))
    people.skeleton = tail
    with pytest.raises(UserError, match="'tail' has no keypoint in common with 'coco_openpose'"):
        written(tmp_path, people)
