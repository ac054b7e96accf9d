"""The tables of people, read back."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classicpose.people import People
from classicpose.skeletons import FLIC10
from classicpose.writers.tables import DeepLabCutTables, LongTable, WideTable


def flic_people(count: int, name: str, **settings: object) -> People:
    """People whose left wrist was not found."""
    rng = np.random.default_rng(count)
    people = People(
        name=name,
        image_size=(720, 480),
        skeleton=FLIC10,
        keypoints=rng.uniform(0, 480, (count, 10, 2)).astype(np.float32),
        keypoint_scores=rng.uniform(0.1, 1, (count, 10)).astype(np.float32),
        scores=rng.uniform(0, 1, count).astype(np.float32),
        boxes=rng.uniform(0, 480, (count, 4)).astype(np.float32),
        **settings,
    )
    people.keypoints[:, 2], people.keypoint_scores[:, 2] = 0, 0
    return people


def frame(number: int, *tracks: int, video: str = 'in/walk.mp4') -> People:
    name = f'{Path(video).stem}_{number:012d}'
    settings = dict(path=video, frame_number=number, time=number / 30, track_ids=np.array(tracks, np.int64))
    return flic_people(len(tracks), name, **settings)


def read(path: Path) -> list[dict]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


IMAGES = [flic_people(2, 'a, "quoted"', path='in/a, "quoted".jpg'), flic_people(0, 'empty'), frame(100, 7)]


class TestWide:
    def test_every_number_of_every_person(self, tmp_path: Path) -> None:
        with WideTable(tmp_path / 'people.csv', FLIC10) as table:
            for people in IMAGES:
                table.write(people, None)
        rows = read(tmp_path / 'people.csv')
        assert [row['name'] for row in rows] == ['a, "quoted"', 'a, "quoted"', 'empty', 'walk_000000000100']
        assert [row['person'] for row in rows] == ['0', '1', '', '7']
        assert {(row['width'], row['height']) for row in rows} == {('720', '480')}
        assert [row['file'] for row in rows[1:]] == ['in/a, "quoted".jpg', '', 'in/walk.mp4']
        assert [(row['frame'], row['time']) for row in rows[1:]] == [('', ''), ('', ''), ('100', '3.333333')]
        assert set(list(rows[2].values())[6:]) == {''}
        expected = [(people, index) for people in IMAGES for index in range(len(people))]
        for row, (people, index) in zip(rows[:2] + rows[3:], expected, strict=True):
            np.testing.assert_allclose(float(row['person_score']), people.scores[index], rtol=1e-5)
            box = [float(row[k]) for k in ('x1', 'y1', 'x2', 'y2')]
            np.testing.assert_allclose(box, people.boxes[index], rtol=1e-5)
            for keypoint, name in enumerate(FLIC10.keypoints):
                cells = [row[f'{name}_{column}'] for column in ('x', 'y', 'score')]
                if name == 'left_wrist':
                    assert cells == ['', '', '']
                    continue
                found = [*people.keypoints[index, keypoint], people.keypoint_scores[index, keypoint]]
                np.testing.assert_allclose([float(cell) for cell in cells], found, rtol=1e-5)

    def test_the_header_comes_first_and_without_people_too(self, tmp_path: Path) -> None:
        with WideTable(tmp_path / 'people.csv', FLIC10):
            pass
        (header,) = (tmp_path / 'people.csv').read_text().splitlines()
        start = 'file,name,frame,time,width,height,person,person_score,x1,y1,x2,y2,left_shoulder_x,left_shoulder_y,'
        assert header.startswith(f'{start}left_shoulder_score,')
        assert len(header.split(',')) == 12 + 3 * 10

    def test_ctrl_c_leaves_whole_rows(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt), WideTable(tmp_path / 'people.csv', FLIC10) as table:
            table.write(flic_people(3, 'a'), None)
            assert len(read(tmp_path / 'people.csv.unfinished')) == 3
            raise KeyboardInterrupt
        assert len(read(tmp_path / 'people.csv')) == 3
        assert [file.name for file in tmp_path.iterdir()] == ['people.csv']

    def test_hands_and_faces_have_columns_of_their_own(self, tmp_path: Path) -> None:
        people = flic_people(2, 'a')
        people.parts = dict(hand_right=np.random.default_rng(0).uniform(0, 480, (2, 21, 3)).astype(np.float32))
        with WideTable(tmp_path / 'people.csv', FLIC10, parts=('hand_right',)) as table:
            table.write(people, None)
        for row, hand in zip(read(tmp_path / 'people.csv'), people.parts['hand_right'], strict=True):
            assert len(row) == 12 + 3 * (10 + 21)
            found = [float(row[f'hand_right_little_4_{column}']) for column in ('x', 'y', 'score')]
            np.testing.assert_allclose(found, hand[20], rtol=1e-5)


def test_long(tmp_path: Path) -> None:
    people = [replace(image, parts=dict(hand_left=np.ones((len(image), 21, 3)))) for image in IMAGES]
    with LongTable(tmp_path / 'long.csv', FLIC10, parts=('hand_left',)) as table:
        for image in people:
            table.write(image, None)
    rows = read(tmp_path / 'long.csv')
    assert list(rows[0]) == ['file', 'frame', 'time', 'person', 'keypoint', 'x', 'y', 'score']
    assert len(rows) == 3 * (10 + 21) + 1  # and one of the image without people
    empty = rows[2 * 31]
    assert set(empty.values()) == {''}
    last = rows[-31:]
    assert {(row['file'], row['frame'], row['time'], row['person']) for row in last} == {
        ('in/walk.mp4', '100', '3.333333', '7')
    }
    assert [row['keypoint'] for row in last[:10]] == list(FLIC10.keypoints)
    assert (last[10]['keypoint'], last[-1]['keypoint']) == ('hand_left_wrist', 'hand_left_little_4')
    for place, row in enumerate(last[:10]):
        cells = row['x'], row['y'], row['score']
        if row['keypoint'] == 'left_wrist':
            assert cells == ('', '', '')
            continue
        found = [*people[2].keypoints[0, place], people[2].keypoint_scores[0, place]]
        np.testing.assert_allclose([float(cell) for cell in cells], found, rtol=1e-5)


def test_deeplabcut(tmp_path: Path) -> None:
    """The four rows of the header of several animals; every frame has a row, every track its columns."""
    frames = [frame(10, 3), frame(12), frame(14, 5, 3), frame(0, 0, video='run.avi')]
    with DeepLabCutTables(tmp_path, FLIC10) as tables:
        for people in frames:
            tables.write(people, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['run.csv', 'walk.csv']
    with open(tmp_path / 'walk.csv', newline='') as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ['scorer', 'individuals', 'bodyparts', 'coords', '10', '12', '14']
    columns = list(zip(*(row[1:] for row in rows[1:4]), strict=True))
    assert len(columns) == len(set(columns)) == 2 * 10 * 3
    cells = {frame: dict(zip(columns, row[1:], strict=True)) for frame, *row in ((row[0], *row) for row in rows[4:])}
    assert set(cells['12'].values()) == {''}
    assert cells['10']['person5', 'left_eye', 'x'] == cells['14']['person3', 'left_wrist', 'likelihood'] == ''
    for person, track in enumerate(('person5', 'person3')):
        for place, name in enumerate(FLIC10.keypoints):
            if name != 'left_wrist':
                found = [float(cells['14'][track, name, column]) for column in ('x', 'y', 'likelihood')]
                own = [*frames[2].keypoints[person, place], frames[2].keypoint_scores[person, place]]
                np.testing.assert_allclose(found, own, rtol=1e-5)
