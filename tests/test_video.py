"""Videos that are written: read back, they are as long, as fast and as large as they should be."""

from __future__ import annotations

import struct
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.inference.frames import Frame, open_frames
from classicpose.people import People
from classicpose.skeletons import COCO17
from classicpose.video import open_video
from classicpose.writers import video as video_writer
from classicpose.writers.images import RenderedVideo, Renderings
from classicpose.writers.video import CODECS, USUAL_FPS, VideoFile

# Beside OpenCV's, which tests without PyAV write as everybody does who has not installed it.
ENCODERS = ['opencv', pytest.param('pyav', marks=pytest.mark.skipif(find_spec('av') is None, reason='needs PyAV'))]


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What writes .mp4."""
    if request.param == 'opencv':
        monkeypatch.setattr(video_writer, '_pyav', lambda: None)
    return request.param


def image(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), 10 + 10 * number, np.uint8)


def numbers(path: Path) -> list[int]:
    # Each time it is encoded a frame gets darker by two or three grey levels.
    return [round((frame.mean() - 6) / 10) for *_, frame in open_video(str(path)).frames()]


@pytest.mark.parametrize('ending', ['mp4', 'avi', 'AVI'])
@pytest.mark.parametrize('fps', [25, 30000 / 1001, 12.5, 0.5, 25 / 7])
def test_length_rate_and_size(
    encoder: str, ending: str, fps: float, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / 'new' / f'video.{ending}'
    with VideoFile(path, fps) as file:
        for number in range(20):
            file.write(image(number))
    video = open_video(str(path))
    assert (video.length, video.size) == (20, (64, 48))
    assert video.fps == pytest.approx(fps, rel=1e-3)
    assert numbers(path) == list(range(20))
    assert capfd.readouterr() == ('', '')


def test_a_part_of_a_video_lasts_as_long_as_it_did(encoder: str, tmp_path: Path) -> None:
    with VideoFile(tmp_path / 'all.mp4', 24) as file:
        for number in range(24):
            file.write(image(number))
    every_fourth = open_video(str(tmp_path / 'all.mp4'), slice(0, None, 4))
    with VideoFile(tmp_path / 'keypoint.mp4', every_fourth.fps) as file:
        for *_, frame in every_fourth.frames():
            file.write(frame)
    keypoint = open_video(str(tmp_path / 'keypoint.mp4'))
    assert keypoint.length / keypoint.fps == pytest.approx(1.0)
    assert numbers(tmp_path / 'keypoint.mp4') == [0, 4, 8, 12, 16, 20]


@pytest.mark.parametrize(('degrees', 'corner'), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
@pytest.mark.parametrize('first', [0, 2])
def test_a_video_that_was_filmed_on_its_side_is_upright(
    tmp_path: Path, degrees: int, corner: tuple[int, int], first: int
) -> None:
    path = tmp_path / 'phone.mp4'
    bright_corner = image(0)
    bright_corner[:24, :32] = 255
    with VideoFile(path, 25) as file:
        for _ in range(4):
            file.write(bright_corner)
    turn(path, degrees)
    video = open_video(str(path), slice(first, None, 1))
    frames = [frame for *_, frame in video.frames()]
    assert len(frames) == 4 - first
    assert video.size == ((64, 48) if degrees % 180 == 0 else (48, 64))
    for frame in frames:
        assert frame.shape[1::-1] == video.size
        corners = {place: frame[place].mean() for place in [(0, 0), (0, -1), (-1, -1), (-1, 0)]}
        assert max(corners, key=corners.get) == corner


def turn(path: Path, degrees: int) -> None:
    """Note in an mp4, as a phone does, that its frames are to be turned clockwise: the matrix of its track header."""
    matrix = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (value << 16 for value in matrix)
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 44
    data[place : place + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def test_a_rate_that_nobody_knows(tmp_path: Path) -> None:
    with VideoFile(tmp_path / 'video.mp4', None) as file:
        file.write(image(0))
    assert open_video(str(tmp_path / 'video.mp4')).fps == USUAL_FPS


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize('ending', ['mp4', 'avi'])
def test_an_interrupted_file_can_be_played(
    encoder: str, error: type[BaseException], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f'video.{ending}'
    with pytest.raises(error), VideoFile(path, 25) as file:
        for number in range(7):
            file.write(image(number))
        raise error
    assert open_video(str(path)).length == 7
    assert numbers(path) == list(range(7))


def test_images_of_other_sizes_are_fitted(encoder: str, tmp_path: Path) -> None:
    path = tmp_path / 'album.mp4'
    with VideoFile(path, 1) as file:
        file.write(image(0, (64, 48)))
        file.write(np.full((96, 64, 3), 200, np.uint8))  # half as large: 32 x 48, in the middle
        file.write(np.full((12, 32, 3), 200, np.uint8))  # twice as large: 64 x 24
    _, tall, wide = (frame.astype(int) for *_, frame in open_video(str(path)).frames())
    assert tall.shape == wide.shape == (48, 64, 3)
    assert abs(tall[:, 20:44] - 200).max() < 20
    assert max(tall[:, :12].max(), tall[:, 52:].max()) < 20
    assert abs(wide[16:32] - 200).max() < 20
    assert max(wide[:8].max(), wide[40:].max()) < 20


def test_odd_sides_lose_one_pixel(encoder: str, tmp_path: Path) -> None:
    with VideoFile(tmp_path / 'video.mp4', 25) as file:
        file.write(image(3, (65, 49)))
    assert open_video(str(tmp_path / 'video.mp4')).size == (64, 48)


def test_without_a_frame_no_file_is_made(encoder: str, tmp_path: Path) -> None:
    with VideoFile(tmp_path / 'new.mp4', 25):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / 'old.mp4').write_bytes(b'precious')
    with pytest.raises(RuntimeError), VideoFile(tmp_path / 'old.mp4', 25):
        raise RuntimeError
    assert (tmp_path / 'old.mp4').read_bytes() == b'precious'


def test_paths_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r'video\.mkv: a video is written as \.mp4 or \.avi or \.webm'):
        VideoFile(tmp_path / 'video.mkv', 25)
    (tmp_path / 'folder.mp4').mkdir()
    with pytest.raises(UserError, match=r'folder\.mp4 cannot be written'):
        VideoFile(tmp_path / 'folder.mp4', 25)
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot make the folder'):
        VideoFile(tmp_path / 'file' / 'video.mp4', 25)
    monkeypatch.setattr('classicpose.writers.video.os.access', lambda *_: False)
    with pytest.raises(UserError, match=r'video\.mp4 cannot be written'):
        VideoFile(tmp_path / 'video.mp4', 25)


def test_no_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODECS, '.avi', ('none',))
    message = 'cannot be written at 25 frames a second and 64x48 pixels'
    with pytest.raises(UserError, match=message), VideoFile(tmp_path / 'video.avi', 25) as file:
        file.write(image(0))
    assert list(tmp_path.iterdir()) == []


def test_an_image_too_small_for_h264(encoder: str, tmp_path: Path) -> None:
    message = 'cannot be written at 25 frames a second and 1x1 pixels'
    with pytest.raises(UserError, match=message), VideoFile(tmp_path / 'video.mp4', 25) as file:
        file.write(image(0, (1, 1)))


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('ending', ['mp4', 'avi'])
def test_a_full_disk_is_told(encoder: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f'video.{ending}'
    path.symlink_to('/dev/full')
    message = 'holds 0 of 3 frames; check that there is room|No space left on device|cannot be written'
    with pytest.raises(UserError, match=message), VideoFile(path, 25) as file:
        for number in range(3):
            file.write(image(number))


def test_without_pyav_an_mp4_that_browsers_do_not_play_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(video_writer, '_pyav', lambda: None)
    monkeypatch.setitem(CODECS, '.mp4', ('mp4v',))
    for ending in ('mp4', 'avi'):
        with VideoFile(tmp_path / f'video.{ending}', 25) as file:
            file.write(image(0))
    (message,) = caplog.messages
    assert message.endswith(
        "video.mp4 is MPEG-4, which browsers do not play; H.264 needs PyAV: pip install 'classicpose[video]'"
    )


class TestPyAv:
    """What browsers need, read back by PyAV, which is not what reads videos here."""

    @pytest.fixture(autouse=True)
    def av(self) -> ModuleType:
        return pytest.importorskip('av', reason='needs PyAV')

    @pytest.mark.parametrize('fps', [25, 30000 / 1001, 24000 / 1001, 25 / 7])
    def test_h264_with_the_rate_it_had(self, av: ModuleType, fps: float, tmp_path: Path) -> None:
        with VideoFile(tmp_path / 'video.mp4', fps) as file:
            for number in range(20):
                file.write(image(number))
        with av.open(str(tmp_path / 'video.mp4')) as video:
            (stream,) = video.streams
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
            assert float(stream.average_rate) == pytest.approx(fps, rel=1e-9)
            assert float(stream.duration * stream.time_base) == pytest.approx(20 / fps)
            assert [frame.time for frame in video.decode(stream)] == pytest.approx([n / fps for n in range(20)])

    def test_a_variable_rate_stays(self, av: ModuleType, tmp_path: Path) -> None:
        """From a file of which every frame has a time of its own to the drawn one; a part of it begins at 0."""
        times = [0, 0.1, 0.15, 0.4, 0.5, 1.0, 1.04]
        with VideoFile(tmp_path / 'in.mp4', 25) as file:
            for number, step in enumerate(np.diff(times, prepend=-0.04)):
                file.write(image(number), step)
        for first in (0, 2):
            frames = open_frames(tmp_path / 'in.mp4', frame_first=first)
            with Renderings(tmp_path / f'from_{first}', frames.videos, 0.05) as drawings:
                for frame in frames:
                    drawings.write(nobody(frame), frame.image)
            with av.open(str(tmp_path / f'from_{first}/in_rendered.mp4')) as video:
                found = [frame.time for frame in video.decode(video=0)]
                assert found == pytest.approx([time - times[first] for time in times[first:]], abs=1e-4)
                stream = video.streams.video[0]
                assert float(stream.duration * stream.time_base) > found[-1]

    def test_several_videos_follow_each_other(self, av: ModuleType, tmp_path: Path) -> None:
        """In one file, and images without a time between them."""
        with VideoFile(tmp_path / 'in.mp4', 10) as file:
            for number in range(3):
                file.write(image(number))
        frames = list(open_frames(tmp_path / 'in.mp4'))
        with RenderedVideo(tmp_path / 'out.mp4', 10, 0.05) as drawing:
            for frame in [*frames, *(replace(frame, path='other') for frame in frames)]:
                drawing.write(nobody(frame), frame.image)
        with av.open(str(tmp_path / 'out.mp4')) as video:
            assert [frame.time for frame in video.decode(video=0)] == pytest.approx([n / 10 for n in range(6)])


def nobody(frame: Frame) -> People:
    keypoints = np.zeros((0, 17, 2), np.float32)
    empty = np.zeros((0, 17), np.float32), np.zeros(0, np.float32), np.zeros((0, 4), np.float32)
    size = frame.image.shape[1::-1]
    return People(
        frame.name, size, COCO17, keypoints, *empty, path=frame.path, frame_number=frame.number, time=frame.time
    )
