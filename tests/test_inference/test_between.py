"""Frames that the network does not look at, filled in between those that it does."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import UPRIGHT
from shipped_configs import REPOSITORY

from classicpose.command_line.predict import main
from classicpose.inference.between import interpolated
from classicpose.inference.frames import Frame
from classicpose.people import People
from classicpose.skeletons import OPENPOSE18
from classicpose.writers.video import VideoFile


def crowd(number: int, places: dict[int, np.ndarray]) -> People:
    """The frame ``number``'s people, by their ids: keypoints (18, 3), each with a right hand around the wrist."""
    body = np.stack(list(places.values())).astype(np.float32)
    hand = np.repeat(body[:, 4:5], 21, axis=1)
    return People(
        f'walk_{number:012d}', (640, 480), OPENPOSE18, body[..., :2], body[..., 2], body[:, :, 2].mean(axis=1),
        np.concatenate([body[:, 0, :2], body[:, 0, :2] + 100], axis=1), np.array(list(places)),
        parts=dict(hand_right=hand), path='walk.mp4', frame_number=number, time=number / 30,
    )  # fmt: skip


def person(left: float, score: float = 0.9) -> np.ndarray:
    return np.column_stack([UPRIGHT * 200 + (left, 50), np.full(18, score)])


def test_people_walk_on_a_straight_line() -> None:
    before = crowd(4, {7: person(100), 3: person(300), 5: person(500)})
    after = crowd(8, {3: person(260, 0.5), 9: person(0), 7: person(140)})
    before.keypoint_scores[0, 2], before.keypoints[0, 2] = 0, 0  # an elbow that was not found
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 'walk_000000000005', 'walk.mp4', 5, 'walk.mp4', 5 / 30)
    found = interpolated(before, after, 0.25, frame)
    expected = crowd(5, {7: person(110), 3: person(290, 0.5)})
    expected.keypoint_scores[0, 2], expected.keypoints[0, 2] = 0, 0
    assert found.track_ids.tolist() == [7, 3]  # as in the frame before; the others are in one frame only
    for name in ('keypoints', 'keypoint_scores', 'boxes'):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-3)
    np.testing.assert_allclose(found.parts['hand_right'], expected.parts['hand_right'], atol=1e-3)
    assert (found.name, found.frame_number, found.time) == (frame.name, 5, 5 / 30)
    assert len(interpolated(replace(before, track_ids=before.track_ids + 20), after, 0.5, frame)) == 0


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The batsman, who glides to the left by six pixels a frame; six frames, and five to the right."""
    photograph = cv2.imread(str(REPOSITORY / 'docs/samples/baseball_1888.jpg'))
    folder = tmp_path_factory.mktemp('videos')
    for name, steps in (('left', range(6)), ('right', range(5, 0, -1))):
        with VideoFile(folder / f'{name}.mp4', 30) as video:
            for step in steps:
                video.write(np.ascontiguousarray(photograph[:, 6 * step : photograph.shape[1] - 60 + 6 * step]))
    return [folder / 'left.mp4', folder / 'right.mp4']


def test_every_second_frame_of_two_videos(videos: list[Path], tmp_path: Path) -> None:
    tables = []
    for number, flags in enumerate((['--tracking'], ['--look_every', '2'])):
        table = tmp_path / f'{number}.csv'
        main(['openpose_lite', *map(str, videos), *flags, '--write_long_csv', str(table)], 'classicpose predict')
        with table.open() as file:
            rows = [row for row in csv.DictReader(file) if row['person'] == '0']
        tables.append({(row['file'], int(row['frame']), row['keypoint']): row for row in rows})
    looked, filled = tables
    assert {key[:2] for key in filled} == {key[:2] for key in looked}
    assert len({key[:2] for key in filled}) == 11
    errors: dict[tuple[str, int], list[float]] = {}
    for key, row in filled.items():
        if row['x'] and looked[key]['x']:
            error = np.subtract(*([float(table['x']), float(table['y'])] for table in (row, looked[key])))
            errors.setdefault((Path(key[0]).stem, key[1]), []).append(np.hypot(*error))
    medians = {key: np.median(values) for key, values in errors.items()}
    # Nobody comes after the first video's last frame: people stay where they are, six pixels behind.
    assert 4 < medians.pop(('left', 5)) < 8
    assert max(error for (_, frame), error in medians.items() if frame % 2) < 2
    assert max(error for (_, frame), error in medians.items() if frame % 2 == 0) == 0


def test_maps_of_frames_not_looked_at(videos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    flags = ['--look_every', '2', '--write_maps', str(tmp_path / 'maps')]
    with pytest.raises(SystemExit):
        main(['openpose_lite', str(videos[0]), *flags], 'classicpose predict')
    assert 'error: --look_every:' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
