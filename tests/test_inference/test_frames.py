"""What is delivered of files, folders, patterns, videos and URLs: images and frames that show their own number."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recordings import STAMPS, recorded_by_a_browser, variable_rate

from classicpose.errors import UserError
from classicpose.inference.frames import Frame, open_frames

FRAMES = 24
FPS = 12.5
SIZE = (64, 48)


def image(number: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 10 + 10 * number, np.uint8)


def shown(frame: Frame) -> int:
    return round((frame.image.mean() - 10) / 10)


def write_video(path: Path, codec: str = 'mp4v', frames: int = FRAMES) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), FPS, SIZE)
    for number in range(frames):
        writer.write(image(number))
    writer.release()
    return path


def write_image(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), image(number))
    return path


@pytest.fixture(scope='module')
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp('video') / 'walk.mp4')


@pytest.mark.parametrize(
    ('chosen', 'numbers'),
    [
        (dict(), range(FRAMES)),
        (dict(frame_first=15), range(15, FRAMES)),
        (dict(frame_last=5), range(6)),
        (dict(frame_step=5), range(0, FRAMES, 5)),
        (dict(frame_first=3, frame_last=13, frame_step=5), [3, 8, 13]),
        (dict(frame_first=3, frame_last=12, frame_step=5), [3, 8]),
        (dict(frame_first=7, frame_last=7), [7]),
        (dict(frame_first=20, frame_last=99), range(20, FRAMES)),
    ],
)
def test_frames_of_a_video(video: Path, chosen: dict, numbers: range) -> None:
    frames = open_frames([video], **chosen)
    found = list(frames)
    assert [frame.number for frame in found] == list(numbers)
    assert [shown(frame) for frame in found] == list(numbers)
    assert [frame.name for frame in found] == [f'walk_{number:012d}' for number in numbers]
    assert {(frame.path, frame.source) for frame in found} == {(str(video), str(video))}
    assert all(frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8 for frame in found)
    assert frames.length == len(found)
    assert frames.is_video
    assert frames.size == SIZE
    # At the rate the frames last as long as they did in the video.
    assert frames.fps == pytest.approx(FPS / chosen.get('frame_step', 1))
    assert len(list(frames)) == len(found)


def test_frames_where_seeking_fails(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('classicpose.writers.video.cv2.CAP_PROP_POS_FRAMES', -7)
    assert [shown(frame) for frame in open_frames([video], frame_first=15, frame_step=4)] == [15, 19, 23]


def test_images_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_image(tmp_path / 'photos' / f'photo{number}.png', number)
    (tmp_path / 'photos' / 'notes.txt').write_text('')
    (tmp_path / 'photos' / 'deeper').mkdir()
    folder = str(tmp_path / 'photos')
    frames = open_frames(folder)
    found = list(frames)
    assert [frame.name for frame in found] == ['photo1', 'photo2', 'photo10']
    assert [shown(frame) for frame in found] == [1, 2, 10]
    assert {(frame.number, frame.source) for frame in found} == {(None, folder)}
    assert (frames.length, frames.is_video, frames.fps, frames.size) == (3, False, None, None)
    assert [frame.name for frame in open_frames(f'{folder}/*')] == ['photo1', 'photo2', 'photo10']
    assert [frame.name for frame in open_frames(f'{folder}/*2.*')] == ['photo2']
    # The numbers choose among a folder's and a pattern's images, not single ones.
    single = write_image(tmp_path / 'single.png')
    found = open_frames([single, folder], frame_first=1)
    assert [frame.name for frame in found] == ['single', 'photo2', 'photo10']


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    assert [frame.name for frame in open_frames(write_image(tmp_path / 'street[1].png'))] == ['street[1]']


def test_videos_and_images_together(video: Path, tmp_path: Path) -> None:
    short = write_video(tmp_path / 'short.avi', 'XVID', frames=3)
    frames = open_frames([write_image(tmp_path / 'street.png', 4), video, short], frame_step=2)
    found = list(frames)
    assert [shown(frame) for frame in found] == [4, *range(0, FRAMES, 2), 0, 2]
    assert frames.length == len(found)
    assert not frames.is_video
    assert {path: found.length for path, found in frames.videos.items()} == {str(video): 12, str(short): 2}


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn a quarter clockwise
    sideways = np.zeros((40, 60, 3), np.uint8)
    sideways[:, :20] = 255
    Image.fromarray(sideways).save(tmp_path / 'photo.jpg', exif=exif, quality=95)
    (frame,) = open_frames(tmp_path / 'photo.jpg')
    assert frame.image.shape == (60, 40, 3)
    assert frame.image[:18].min() > 200
    assert frame.image[22:].max() < 50


def test_grey_and_transparent_images_have_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((5, 6), 70, np.uint8))
    cv2.imwrite(str(tmp_path / 'see_through.png'), np.full((5, 6, 4), 70, np.uint8))
    for frame in open_frames(tmp_path):
        np.testing.assert_array_equal(frame.image, np.full((5, 6, 3), 70, np.uint8))


@pytest.mark.parametrize('inputs', [('a/x.png', 'b/x.png'), ('a/x.png', 'a/x.jpg'), ('a', 'b/x.png')])
def test_images_of_one_name(inputs: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ('a/x.png', 'a/x.jpg', 'b/x.png')[(inputs[0] == 'a') * 2 :]:
        write_image(tmp_path / name)
    write_image(tmp_path / 'a/x.png')
    with pytest.raises(UserError, match=r'a/x\.png and (a|b)/x\.(png|jpg) would give files of the same name'):
        open_frames(inputs)


def test_videos_of_one_name(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'walk\.mp4 and .*walk\.avi would'):
        open_frames([video, write_video(tmp_path / 'walk.avi', 'XVID')])
    with pytest.raises(UserError, match=r'walk\.mp4 and .*walk_000000000003\.png would'):
        open_frames([write_image(tmp_path / 'walk_000000000003.png'), video])
    with pytest.raises(UserError, match='given twice'):
        open_frames([video, video])
    # Files about a video's frames are numbered, so an image may be called like the video.
    assert open_frames([video, write_image(tmp_path / 'walk.png')]).length == FRAMES + 1


def test_broken_images(tmp_path: Path) -> None:
    write_image(tmp_path / 'a.jpg')
    write_image(tmp_path / 'c.jpg')
    whole = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'b.jpg').write_bytes(whole[: len(whole) // 2])
    frames = iter(open_frames(tmp_path))
    assert next(frames).name == 'a'
    with pytest.raises(UserError, match=r'b\.jpg is a truncated JPEG'):
        next(frames)
    unreadable = []
    assert [frame.name for frame in open_frames(tmp_path, unreadable=unreadable)] == ['a', 'c']
    assert [str(error).split()[1] for error in unreadable] == [str(tmp_path / 'b.jpg')]


def test_a_truncated_video_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'cut.avi'
    write_video(path, 'XVID')
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b'movi') + (len(data) - data.rindex(b'movi')) // 2])
    found = list(open_frames(path))
    assert 0 < len(found) < 0.9 * FRAMES
    assert caplog.messages == [f'video {path} ended after {len(found)} of {FRAMES} frames; it may be truncated']
    # A consumer that stops early has no such complaint.
    frames = iter(open_frames(path))
    next(frames)
    frames.close()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ([], 'no input'),
        (['missing.jpg'], 'missing.jpg does not exist'),
        (['empty'], r'empty: no file there ends in .*\.jpg .*\.png'),
        (['empty/*.jpg'], r'empty/\*\.jpg: no file there ends in'),
        (['notes.txt'], r'notes\.txt is neither an image nor a video by its ending; known are .*\.jpg .*\.mp4'),
        (['broken.mp4'], r'video broken\.mp4 cannot be opened or has no frame'),
        (['77'], 'camera 77 cannot be opened'),
        (['9' * 99], 'camera 9{99} cannot be opened.* give a folder of that name as ./9{99}'),
        (['http://127.0.0.1:9/street.jpg'], r'street\.jpg cannot be read \(.*refused\); download it and give the file'),
        (['http://127.0.0.1:9/walk.mp4'], r'walk\.mp4 cannot be opened; download it and give the file'),
        (['http://[/street.jpg'], 'Invalid'),
        (['HTTP://127.0.0.1:9/walk.mp4'], r'walk\.mp4 cannot be opened; download it and give the file'),
        (['rtsp://127.0.0.1:9/s'], 'stream rtsp://127.0.0.1:9/s cannot be opened: nobody answers there with a video'),
        (['RTSP://127.0.0.1:9/s'], 'stream rtsp://127.0.0.1:9/s cannot be opened: nobody answers there with a video'),
    ],
)
def test_mistakes(
    given: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'broken.mp4').write_bytes(b'hello' * 50)
    with pytest.raises(UserError, match=message):
        open_frames([write_image(tmp_path / 'fine.png'), *given] if given else given)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize(
    'chosen',
    [dict(frame_first=-1), dict(frame_step=0), dict(frame_first=5, frame_last=4), dict(frame_last=-1)],
)
def test_frames_that_cannot_be(video: Path, chosen: dict) -> None:
    with pytest.raises(UserError, match='no frames from'):
        open_frames([video], **chosen)


def test_frames_beyond_the_end(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match='has 24 frames, so none from number 24 on'):
        open_frames([video], frame_first=FRAMES)
    write_image(tmp_path / 'a.png')
    with pytest.raises(UserError, match='has 1 images, so none from number 1 on'):
        open_frames([tmp_path], frame_first=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that shows ``tmp_path``."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=os.fspath(tmp_path))

        def log_message(self, *_: object) -> None:
            pass

        def guess_type(self, path: str) -> str:
            return 'image/png' if path.endswith('photo') else super().guess_type(path)

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()
        thread.join()


def test_urls(server: str, tmp_path: Path) -> None:
    write_image(tmp_path / 'street.png', 3)
    write_image(tmp_path / 'copy.png', 5).rename(tmp_path / 'photo')
    write_video(tmp_path / 'walk.avi', 'XVID')
    (tmp_path / 'broken.png').write_bytes(b'hello')
    frames = open_frames([f'{server}/street.png?size=large', f'{server}/photo', f'{server}/walk.avi'])
    found = list(frames)
    assert [frame.name for frame in found[:3]] == ['street', 'photo', 'walk_000000000000']
    assert [shown(frame) for frame in found] == [3, 5, *range(FRAMES)]
    assert found[0].path == found[0].source == f'{server}/street.png?size=large'
    with pytest.raises(UserError, match=f'image {server}/broken.png is not a readable image'):
        list(open_frames(f'{server}/broken.png'))
    with pytest.raises(UserError, match=r'none\.png cannot be read \(File not found\)'):
        open_frames(f'{server}/none.png')


def test_whoever_takes_a_call_and_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('classicpose.video._TIMEOUT', 300)
    with socket.create_server(('127.0.0.1', 0)) as silent:
        address = f'rtsp://127.0.0.1:{silent.getsockname()[1]}/camera'
        with pytest.raises(UserError, match=f'stream {address} cannot be opened'):
            open_frames(address)


# A colon makes a protocol of what stands before it, and some names are no text.
ODD_NAMES = ('2024-05-01T10:30:00', 'http:walk', os.fsdecode(b'Gr\xf6\xdfe'), '%03d', 'a b[1]')


@pytest.mark.parametrize('name', ODD_NAMES, ids=ascii)
def test_names_of_videos(name: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, f'{name}.mp4')
    frames = open_frames(f'{name}.mp4', frame_first=20)
    assert [(frame.name, shown(frame)) for frame in frames] == [(f'{name}_{n:012d}', n) for n in range(20, FRAMES)]


@pytest.mark.parametrize('name', ODD_NAMES, ids=ascii)
def test_names_of_images(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(write_image(tmp_path / 'x/plain.png', 7), f'{name}.png')
    for given in (f'{name}.png', '.'):
        assert [(frame.name, shown(frame)) for frame in open_frames(given)] == [(name, 7)]


class TestTimestamps:
    """A film of rising brightness, each frame 4 brighter than the last."""

    images = tuple(np.full((48, 64, 3), 10 + 4 * number, np.uint8) for number in range(60))

    def test_a_browsers_recording_lasts_as_long_as_its_timestamps(self, tmp_path: Path) -> None:
        path = recorded_by_a_browser(tmp_path / 'camera.webm', self.images)
        # OpenCV takes the clock for the rate, and the missing duration for a number.
        capture = cv2.VideoCapture(str(path))
        assert capture.get(cv2.CAP_PROP_FPS) == 1000
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) < 0
        frames = open_frames(path)
        assert frames.length == len(list(frames)) == 60
        assert frames.fps == pytest.approx(59 / (STAMPS[-1] / 1000))
        assert frames.length / frames.fps == pytest.approx(2, abs=0.05)
        assert open_frames(path, frame_step=2).fps == pytest.approx(frames.fps / 2)
        with pytest.raises(UserError, match='has 60 frames, so none from number 60 on'):
            open_frames(path, frame_first=60)

    def test_a_rate_that_changes_is_the_mean(self, tmp_path: Path) -> None:
        frames = open_frames(variable_rate(tmp_path / 'walk.mp4', self.images))
        assert len(list(frames)) == 60
        assert frames.length / frames.fps == pytest.approx(4)  # a second of 30 frames, three of 10

    @pytest.mark.parametrize('kind', [recorded_by_a_browser, variable_rate])
    def test_the_first_frame_wanted_is_that_of_its_number(self, kind, tmp_path: Path) -> None:
        path = kind(tmp_path / f'walk.{"mp4" if kind is variable_rate else "webm"}', self.images)
        every = [frame.image for frame in open_frames(path)]
        for first in (15, 40):
            found = [frame.image for frame in open_frames(path, frame_first=first)]
            assert len(found) == 60 - first
            np.testing.assert_array_equal(found, every[first:])


@pytest.mark.parametrize(
    ('names', 'numbered'),
    [
        (['000000000139.png', '000000000285.png'], True),
        (['street.png', 'park.png'], True),  # no numbers at all are no contradiction
        (['left_0001.png', 'right_0001.png'], False),
        (['0002.png', 'street.png'], False),
        (['2.png', '0002.png'], False),
        (['walk.mp4'], True),
        (['walk.mp4', 'street.png'], False),
        (['walk.mp4', 'run.mp4'], False),
    ],
)
def test_whether_numbers_tell_the_frames_apart(names: list[str], numbered: bool, video: Path, tmp_path: Path) -> None:
    for name in names:
        shutil.copy(video if name.endswith('mp4') else write_image(tmp_path / 'x.png'), tmp_path / name)
    assert open_frames([tmp_path / name for name in names]).numbered is numbered
