"""What the page makes of an uploaded file, against the command line's own parts, without a browser."""

from __future__ import annotations

import csv
import json
import re
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import recorded_by_a_browser
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor
from classicpose.video import open_video
from classicpose.web import results
from classicpose.web.results import Settings, load, look_at
from classicpose.writers import video
from classicpose.writers.images import draw
from classicpose.writers.openpose_json import openpose_people

PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'


@pytest.fixture(scope='module')
def own() -> Settings:
    """The controls as the page opens."""
    decoding = load(('openpose_lite',)).decoding
    return Settings(('openpose_lite',), decoding.peak_threshold, decoding.paf_threshold, decoding.min_score)


def test_an_image_as_the_predictor_sees_it(own: Settings, tmp_path: Path) -> None:
    found = look_at(PHOTOGRAPH, own, tmp_path)
    people = Predictor('openpose_lite')(PHOTOGRAPH)
    assert found.summary == '1 person'
    assert found.table == [[0, 1, pytest.approx(people.scores[0], abs=1e-3), (people.keypoint_scores > 0).sum()]]
    assert found.maps == []
    expected = draw(cv2.imread(str(PHOTOGRAPH)), people, own.render_threshold)
    np.testing.assert_array_equal(cv2.imread(str(found.rendering)), expected)
    openpose, coco, table = found.downloads
    assert json.loads(openpose.read_text()) == openpose_people(people)
    assert [entry['category_id'] for entry in json.loads(coco.read_text())] == [1]
    assert len(list(csv.DictReader(table.open()))) == 1


def test_controls_reach_the_network(own: Settings, tmp_path: Path) -> None:
    def table(**changed: object) -> list:
        folder = tmp_path / '_'.join(map(str, changed))
        folder.mkdir()
        return look_at(PHOTOGRAPH, replace(own, **changed), folder).table

    (plain,) = table(render_threshold=0.5)
    for changed in (dict(flip=True), dict(scale_number=2), dict(paf_threshold=0.4)):
        assert table(**changed) != [plain], changed
    assert table(min_score=10.0) == []
    assert len(table(min_score=0.0, peak_threshold=0.01)) > 1
    assert len(table(min_score=0.0, peak_threshold=0.01, number_people_max=1)) == 1


def test_maps_on_demand(own: Settings, tmp_path: Path) -> None:
    found = look_at(PHOTOGRAPH, replace(own, maps=True), tmp_path)
    assert [path.name for path in found.maps] == ['baseball_1888_heatmaps.jpg', 'baseball_1888_pafs.jpg']


@pytest.mark.parametrize(
    ('has_pyav', 'magic', 'most', 'notice'),
    [
        (True, b'....ftyp', 4, '; only the first 4 frames were looked at'),
        (False, b'\x1a\x45\xdf\xa3', 6, ''),  # all of them
    ],
)
def test_a_video_is_tracked_and_plays_in_browsers(
    has_pyav: bool, magic: bytes, most: int, notice: str, own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_pyav:
        monkeypatch.setattr(video, '_pyav', lambda: None)
    image = cv2.resize(cv2.imread(str(PHOTOGRAPH)), (240, 320))
    writer = cv2.VideoWriter(str(tmp_path / 'walk.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (240, 320))
    for _ in range(6):
        writer.write(image)
    writer.release()
    monkeypatch.setattr(results, 'MOST_FRAMES', most)
    found = look_at(tmp_path / 'walk.avi', replace(own, smoothing=True, maps=True), tmp_path / 'results')
    assert found.summary == f'1 person in {most} frames{notice}'
    ((number, frames, _, _),) = found.table
    assert (number, frames) == (0, most)
    assert re.match(magic, found.rendering.read_bytes(), re.DOTALL)  # MP4, or EBML of WebM
    drawn = open_video(str(found.rendering))
    assert (drawn.size, drawn.fps, len(list(drawn.frames()))) == ((240, 320), 8.0, most)
    archive = next(path for path in found.downloads if path.suffix == '.zip')
    assert len(zipfile.ZipFile(archive).namelist()) == most


def test_the_notice_of_a_recording_without_a_duration(
    own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, 'MOST_FRAMES', 2)
    path = recorded_by_a_browser(tmp_path / 'camera.webm', [np.zeros((48, 64, 3), np.uint8)] * 60)
    found = look_at(path, replace(own, smoothing=True), tmp_path / 'results')
    assert found.summary == '0 people in 2 frames; only the first 2 frames were looked at'
    assert open_video(str(found.rendering)).fps == pytest.approx(29.9, abs=3)


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG file of that size."""
    chunks = [b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0), b'IDAT']
    packed = [struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk)) for chunk in chunks]
    return b'\x89PNG\r\n\x1a\n' + b''.join(packed)


@pytest.mark.parametrize(
    ('name', 'contents', 'message'),
    [
        ('cut.jpg', PHOTOGRAPH.read_bytes()[:9000], r'^image cut\.jpg is a truncated JPEG'),
        ('text.png', b'no image', r'^image text\.png is not a readable image'),
        ('empty.jpg', b'', r'^image empty\.jpg is not a readable image'),
        ('text.mp4', b'no video', r'^video text\.mp4 cannot be opened'),
        ('big.png', png(8_200, 8_000), r'^image big\.png has 8200 x 8000 pixels, more than 64 million'),
        ('bomb.png', png(60_000, 60_000), r'^image bomb\.png has far more than 64 million'),
        ('text.txt', b'text', r'^image text\.txt is not a readable image'),
    ],
)
def test_files_that_cannot_be_looked_at(
    name: str, contents: bytes, message: str, own: Settings, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(UserError, match=message):
        look_at(tmp_path / name, own, tmp_path)


def test_large_videos_are_refused(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = cv2.VideoWriter(str(tmp_path / 'walk.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (240, 320))
    writer.write(np.zeros((320, 240, 3), np.uint8))
    writer.release()
    monkeypatch.setattr(results, 'MOST_VIDEO_PIXELS', 10_000)
    with pytest.raises(UserError, match=r'^video walk\.avi has 240 x 320 pixels, more than 0\.01 million'):
        look_at(tmp_path / 'walk.avi', own, tmp_path)
