"""The table of people, read back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from classicpose.people import People
from classicpose.skeletons import FLIC10
from classicpose.writers.csv_table import CsvTable


def flic_people(count: int, name: str, track_ids: np.ndarray | None = None) -> People:
    rng = np.random.default_rng(count)
    people = People(
        name=name,
        image_size=(720, 480),
        skeleton=FLIC10,
        keypoints=rng.uniform(0, 480, (count, 10, 2)).astype(np.float32),
        keypoint_scores=rng.uniform(0.1, 1, (count, 10)).astype(np.float32),
        scores=rng.uniform(0, 1, count).astype(np.float32),
        boxes=rng.uniform(0, 480, (count, 4)).astype(np.float32),
        track_ids=track_ids,
    )
    people.keypoints[:, 2], people.keypoint_scores[:, 2] = 0, 0
    return people


def read(path: Path) -> list[dict]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_every_number_of_every_person(tmp_path: Path) -> None:
    images = [flic_people(2, 'a, "quoted"'), flic_people(0, 'empty'), flic_people(1, 'b', np.array([7]))]
    with CsvTable(tmp_path / 'people.csv', FLIC10) as table:
        for people in images:
            table.write(people, None)
    rows = read(tmp_path / 'people.csv')
    assert [row['name'] for row in rows] == ['a, "quoted"', 'a, "quoted"', 'b']
    assert [row['track_id'] for row in rows] == ['', '', '7']
    expected = [(people, index) for people in images for index in range(len(people))]
    for row, (people, index) in zip(rows, expected, strict=True):
        np.testing.assert_allclose(float(row['score']), people.scores[index], rtol=1e-5)
        np.testing.assert_allclose([float(row[k]) for k in ('x1', 'y1', 'x2', 'y2')], people.boxes[index], rtol=1e-5)
        for keypoint, name in enumerate(FLIC10.keypoints):
            found = [float(row[f'{name}_{column}']) for column in ('x', 'y', 'score')]
            np.testing.assert_allclose(found[:2], people.keypoints[index, keypoint], rtol=1e-5)
            np.testing.assert_allclose(found[2], people.keypoint_scores[index, keypoint], rtol=1e-5)
        assert (row['left_wrist_x'], row['left_wrist_y'], row['left_wrist_score']) == ('0.0', '0.0', '0.0')


def test_the_header_comes_first_and_without_people_too(tmp_path: Path) -> None:
    with CsvTable(tmp_path / 'people.csv', FLIC10):
        pass
    (header,) = (tmp_path / 'people.csv').read_text().splitlines()
    assert header.startswith('name,track_id,score,x1,y1,x2,y2,left_shoulder_x,left_shoulder_y,left_shoulder_score,')
    assert len(header.split(',')) == 7 + 3 * 10


def test_ctrl_c_leaves_whole_rows(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), CsvTable(tmp_path / 'people.csv', FLIC10) as table:
        table.write(flic_people(3, 'a'), None)
        assert len(read(tmp_path / 'people.csv.unfinished')) == 3
        raise KeyboardInterrupt
    assert len(read(tmp_path / 'people.csv')) == 3
    assert [file.name for file in tmp_path.iterdir()] == ['people.csv']


def test_hands_and_faces_have_columns_of_their_own(tmp_path: Path) -> None:
    people = flic_people(2, 'a')
    people.parts = dict(hand_right=np.random.default_rng(0).uniform(0, 480, (2, 21, 3)).astype(np.float32))
    with CsvTable(tmp_path / 'people.csv', FLIC10, parts=('hand_right',)) as table:
        table.write(people, None)
    for row, hand in zip(read(tmp_path / 'people.csv'), people.parts['hand_right'], strict=True):
        assert len(row) == 7 + 3 * (10 + 21)
        found = [float(row[f'hand_right_little_4_{column}']) for column in ('x', 'y', 'score')]
        np.testing.assert_allclose(found, hand[20], rtol=1e-5)
