"""Drawn images and videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from classicpose.inference.frames import open_frames
from classicpose.people import People
from classicpose.skeletons import COCO17
from classicpose.writers.images import OnBlack, RenderedImages, Renderings, draw


def people(**settings: object) -> People:
    """One with two keypoints, and one with none."""
    keypoints, scores = np.zeros((2, 17, 2), np.float32), np.zeros((2, 17), np.float32)
    keypoints[0, 5:7] = [[60, 70], [30, 60]]
    scores[0, 5:7] = 1
    boxes = np.zeros((2, 4), np.float32)
    defaults = dict(name='a', image_size=(100, 80), skeleton=COCO17, scores=np.ones(2, np.float32), boxes=boxes)
    return People(keypoints=keypoints, keypoint_scores=scores, **(defaults | settings))


def test_an_id_stands_above_its_person_and_nowhere_else() -> None:
    image = np.zeros((80, 100, 3), np.uint8)
    without = draw(image, people(), 0.05)
    tracked = draw(image, people(track_ids=np.array([7, 8])), 0.05)
    assert not image.any()
    rows, columns = np.nonzero((without != tracked).any(axis=2))
    assert len(rows)
    assert rows.max() < 60
    assert rows.min() > 20
    assert columns.min() > 15
    assert columns.max() < 45


def test_every_video_gets_one_of_its_own(tmp_path: Path) -> None:
    for name in ('x', 'y'):
        video = cv2.VideoWriter(str(tmp_path / f'{name}.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (100, 80))
        for _ in range(3):
            video.write(np.zeros((80, 100, 3), np.uint8))
        video.release()
    cv2.imwrite(str(tmp_path / 'z.png'), np.zeros((80, 100, 3), np.uint8))
    frames = open_frames([tmp_path / 'x.avi', tmp_path / 'z.png', tmp_path / 'y.avi'])
    with Renderings(tmp_path / 'out', frames.videos, 0.05) as drawings:
        for frame in frames:
            drawings.write(people(name=frame.name, path=frame.path, frame_number=frame.number), frame.image)
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        'x_rendered.mp4', 'y_rendered.mp4', 'z_rendered.png',
    }  # fmt: skip
    for name in ('x', 'y'):
        video = cv2.VideoCapture(str(tmp_path / f'out/{name}_rendered.mp4'))
        assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (3, 8)


def test_hands_are_drawn_where_they_are_certain() -> None:
    image = np.full((240, 320, 3), 100, np.uint8)
    hand = np.zeros((2, 21, 3), np.float32)
    hand[:, :, :2] = np.random.default_rng(0).uniform((200, 150), (290, 220), (2, 21, 2))
    hand[0, :, 2] = 0.5
    hand[1, :, 2] = 0.1
    plain = draw(image, people(), 0.05)
    changed = (draw(image, people(parts=dict(hand_left=hand)), 0.05) != plain).any(axis=-1)
    assert changed[150:221, 200:291].any()
    only_doubtful = dict(hand_left=np.stack([hand[1], hand[1]]))
    np.testing.assert_array_equal(draw(image, people(parts=only_doubtful), 0.05), plain)


def test_skeletons_on_black(tmp_path: Path) -> None:
    """What is drawn there is drawn over the image in the other, and nothing else."""
    image = np.full((80, 100, 3), 100, np.uint8)
    for name, wrap in dict(image=lambda writer: writer, black=OnBlack).items():
        with wrap(RenderedImages(tmp_path / name, 0.05)) as writer:
            writer.write(people(), image)
    over, black = (cv2.imread(str(tmp_path / name / 'a_rendered.png')) for name in ('image', 'black'))
    np.testing.assert_array_equal(black.any(axis=2), (over != image).any(axis=2))
    assert black.any()
