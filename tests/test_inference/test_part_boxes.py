"""Hands and faces by the keypoints of the body, against OpenPose's rules worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from classicpose.inference.part_boxes import face_squares, hand_squares, lacking
from classicpose.people import People
from classicpose.skeletons import BODY25, COCO17, FACE70, MPI15, OPENPOSE18, Skeleton


def somebody(skeleton: Skeleton = OPENPOSE18, **keypoints: tuple) -> People:
    """One person with these keypoints, (x, y) or (x, y, score)."""
    table = np.zeros((1, len(skeleton.keypoints), 3), np.float32)
    for name, values in keypoints.items():
        table[0, skeleton.keypoints.index(name)] = (*values, 1.0)[:3]
    return People('a', (640, 480), skeleton, table[..., :2], table[..., 2], np.ones(1), np.zeros((1, 4)))


def test_a_hand_is_beyond_the_wrist() -> None:
    arm = dict(left_shoulder=(100, 100), left_elbow=(100, 160), left_wrist=(160, 160))
    # A third of the forearm of 60 beyond the wrist; 1.5 times the longer of 60 and 0.9 * 60.
    np.testing.assert_allclose(hand_squares(somebody(**arm), 'left'), [[160 + 0.33 * 60, 160, 90]])
    arm['left_shoulder'] = (100, 40)
    np.testing.assert_allclose(hand_squares(somebody(**arm), 'left')[0, 2], 1.5 * 0.9 * 120)
    assert not hand_squares(somebody(**arm), 'right').any()


@pytest.mark.parametrize('missing', ['left_shoulder', 'left_elbow', 'left_wrist'])
def test_a_hand_needs_its_whole_arm(missing: str) -> None:
    arm = dict(left_shoulder=(100, 100), left_elbow=(100, 160), left_wrist=(160, 160))
    assert not hand_squares(somebody(**arm | {missing: (100, 100, 0.03)}), 'left').any()


def test_small_hands_and_faces_are_left_out() -> None:
    arm = dict(left_shoulder=(100, 100), left_elbow=(100, 126), left_wrist=(100, 152))
    assert not hand_squares(somebody(**arm), 'left').any()  # 1.5 * 26 = 39
    assert not face_squares(somebody(nose=(100, 100), neck=(100, 119))).any()  # 2 * 19 = 38


def test_a_face_seen_from_the_front_is_the_mean_of_three() -> None:
    eyes_and_ears = dict(left_eye=(215, 90), right_eye=(185, 90), left_ear=(230, 96), right_ear=(170, 96))
    person = somebody(nose=(200, 100), neck=(200, 160), **eyes_and_ears)
    x, y, side = face_squares(person)[0]
    np.testing.assert_allclose((x, y), (200, (130 + 90 + 96) / 3))
    np.testing.assert_allclose(side, (2 * 60 + 3 * 30 + 2 * 60) / 3)


def test_a_face_in_profile() -> None:
    person = somebody(nose=(240, 100), neck=(200, 160), left_eye=(225, 90), left_ear=(195, 96))
    x, y, side = face_squares(person)[0]
    np.testing.assert_allclose((x, y), ((240 + 225 + 195) / 3, (100 + 90 + 96) / 3), rtol=1e-6)
    distances = [np.hypot(15, 10), np.hypot(45, 4), np.hypot(40, 60)]
    np.testing.assert_allclose(side, 0.85 * sum(distances), rtol=1e-6)


def test_eyes_alone_are_a_face_and_doubtful_keypoints_are_none() -> None:
    np.testing.assert_allclose(face_squares(somebody(left_eye=(220, 90), right_eye=(180, 90)))[0], (200, 90, 120))
    assert not face_squares(somebody(left_eye=(220, 90, 0.25), right_eye=(180, 90))).any()


def test_mpis_head_is_a_face() -> None:
    np.testing.assert_allclose(
        face_squares(somebody(MPI15, head_top=(200, 60), neck=(200, 160)))[0], (200, 60, 133), rtol=1e-6
    )


def test_body_models_that_lack_what_is_needed() -> None:
    assert lacking(BODY25, 'hand') == lacking(BODY25, 'face') == lacking(MPI15, 'face') == []
    assert lacking(COCO17, 'hand') == []
    assert lacking(COCO17, 'face') == []
    assert 'left_wrist' in lacking(FACE70, 'hand')


def test_nobody() -> None:
    nobody = People('a', (64, 48), BODY25, np.zeros((0, 25, 2)), np.zeros((0, 25)), np.zeros(0), np.zeros((0, 4)))
    assert hand_squares(nobody, 'left').shape == face_squares(nobody).shape == (0, 3)
