"""Squares around people that a bottom-up network found."""

from __future__ import annotations

import numpy as np
import pytest

from custom_modules.datasets.flic import person_box, read_flic
from custom_modules.inference.boxes import upper_body_squares
from custom_modules.people import People, boxes_around
from custom_modules.skeletons import FLIC10, OPENPOSE18


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
