"""The pickle for action recognition, held against PYSKL's description of its format."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from classicpose.people import People
from classicpose.skeletons import COCO17, OPENPOSE18
from classicpose.writers.action import ActionFile

SIZE = (64, 48)


def frame(video: str, number: int | None, *tracks: int) -> People:
    """A frame in which the tracks' keypoints all lie at (10 x track, number)."""
    keypoints = np.zeros((len(tracks), 18, 2), np.float32)
    keypoints[..., 0] = 10 * np.reshape(tracks, (-1, 1))
    keypoints[..., 1] = number
    scores = np.full(keypoints.shape[:2], 0.5, np.float32)
    name = Path(video).stem
    return People(
        f'{name}_{number:012d}', SIZE, OPENPOSE18, keypoints, scores, np.ones(len(tracks)), np.zeros((len(tracks), 4)),
        track_ids=np.array(tracks, np.int64), path=video, frame_number=number,
    )  # fmt: skip


def samples(path: Path, *frames: People) -> list[dict]:
    with ActionFile(path) as writer:
        for people in frames:
            writer.write(people, None)
    return pickle.loads(path.read_bytes())


def test_the_fields_that_pyskl_describes(tmp_path: Path) -> None:
    (sample,) = samples(tmp_path / 'a.pkl', frame('in/walk.mp4', 0, 0), frame('in/walk.mp4', 1, 0, 1))
    assert isinstance(sample['frame_dir'], str)
    assert (sample['frame_dir'], sample['total_frames'], sample['label']) == ('walk', 2, -1)
    assert sample['img_shape'] == sample['original_shape'] == (48, 64)  # height, width
    assert sample['keypoint'].shape == (2, 2, len(COCO17.keypoints), 2)  # M, T, V, C
    assert sample['keypoint_score'].shape == (2, 2, len(COCO17.keypoints))
    assert sample['keypoint'].dtype == sample['keypoint_score'].dtype == np.float32
    np.testing.assert_array_equal(sample['keypoint'][0, :, 5], [(0, 0), (0, 1)])
    np.testing.assert_array_equal(sample['keypoint_score'][:, :, 0], [[0.5, 0.5], [0, 0.5]])


def test_who_comes_later_takes_the_place_of_who_has_left(tmp_path: Path) -> None:
    """And of nobody who only was not seen for a while."""
    there = [(3, 8), (3,), (8,), (3, 5), (5, 6)]
    (sample,) = samples(tmp_path / 'a.pkl', *(frame('walk.mp4', number, *who) for number, who in enumerate(there)))
    tracks = sample['keypoint'][:, :, 0, 0] / 10
    np.testing.assert_array_equal(tracks, [[3, 3, 0, 3, 6], [8, 0, 8, 5, 5]])


def test_a_sample_for_each_video_and_one_for_a_folder_s_images(tmp_path: Path) -> None:
    images = [frame(f'in/{name}.png', 0, 0) for name in 'xyz']
    for image in images:
        image.frame_number = None
    found = samples(
        tmp_path / 'a.pkl', frame('a/walk.mp4', 5, 0), *images, frame('b/walk.mp4', 0), frame('b/walk.mp4', 1)
    )
    assert [(sample['frame_dir'], sample['total_frames']) for sample in found] == [
        ('walk', 1),
        ('in', 3),
        ('walk_2', 2),
    ]
    # Nobody at all: networks want a person.
    assert found[2]['keypoint'].shape == (1, 2, 17, 2)
    assert not found[2]['keypoint_score'].any()


def test_ctrl_c_leaves_what_was_predicted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ActionFile(tmp_path / 'a.pkl') as writer:
        writer.write(frame('walk.mp4', 0, 0), None)
        raise KeyboardInterrupt
    assert pickle.loads((tmp_path / 'a.pkl').read_bytes())[0]['total_frames'] == 1
    assert [path.name for path in tmp_path.iterdir()] == ['a.pkl']
