"""Videos as they are read: files, cameras and streams."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from .errors import UserError

# FFmpeg would print about files that cannot be opened, which is told in one line of our own. It reads this when the
# process opens its first video.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

_LONGEST = 10**9  # frames; streams claim absurd lengths
# Some containers only estimate the number of their frames. Fewer than this share of it is worth a warning.
_TRUNCATED = 0.9
# Frames a second. What claims more has no rate: it is the clock's, 1,000 ticks a second in WebM, 90,000 in streams.
_FASTEST = 250.0
_WATCHED = 60  # frames of a stream, whose end nobody waits for, from which its rate is measured
_LAST_CAMERA = 2**31 - 1  # OpenCV's numbers end there
_TIMEOUT = 10_000  # milliseconds without an answer
# OpenCV 5 has moved the functions.
_LOGGING = cv2 if hasattr(cv2, 'getLogLevel') else cv2.utils.logging


@dataclass(frozen=True)
class Video:
    """A video that can be read, of which the frames ``chosen`` are wanted. Made by :func:`open_video`.

    Attributes:
        path: file, URL or camera index.
        fps: the rate of the chosen frames: the video's own divided by the step between them, so that a video written at
            this rate lasts as long. If the file states no rate, it is measured on the timestamps. None for cameras
            without one.
        size: (w, h).
        length: number of chosen frames as far as the file knows, None for cameras and streams.
    """

    path: str
    chosen: slice
    fps: float | None
    size: tuple[int, int]
    length: int | None

    def frames(self) -> Iterator[tuple[int, float | None, np.ndarray]]:
        """Each chosen frame's number, from 0, its time in seconds, None of cameras, and the frame, (H, W, 3) uint8 BGR,
        upright.
        """
        delivered = 0
        with capture_of(self.path) as capture:
            number = self.chosen.start
            self._go_to(capture, number)
            while self.chosen.stop is None or number < self.chosen.stop:
                found, image = capture.read()
                if not found:
                    break
                time = None if self.path.isdecimal() else capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                yield number, time, image
                delivered += 1
                # Skipped frames are decoded all the same: others depend on them.
                if not all(capture.grab() for _ in range(self.chosen.step - 1)):
                    break
                number += self.chosen.step
        if self.length and delivered < _TRUNCATED * self.length:
            logging.getLogger(__name__).warning(
                'video %s ended after %d of %d frames; it may be truncated', self.path, delivered, self.length
            )

    def _go_to(self, capture: cv2.VideoCapture, number: int) -> None:
        """Make a frame the next one to be read."""
        if number and self.length is not None and _is_steady(capture, self.path, number):
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            if capture.get(cv2.CAP_PROP_POS_FRAMES) == number:
                return
            _open(capture, self.path)
        for _ in range(number):
            capture.grab()


def open_video(path: str, chosen: slice = slice(0, None, 1)) -> Video:
    """Look into a video file, a stream's URL or, by its index, a camera.

    Raises:
        UserError: when it cannot be opened or has no frame, or none of the chosen ones.
    """
    with capture_of(path) as capture:
        found, image = capture.read()
        fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if not found:
        if path.isdecimal():
            raise UserError(
                f'camera {path} cannot be opened; check that it is connected and nobody else uses it, or give a folder '
                f'of that name as ./{path}'
            )
        if _is_stream(path):
            raise UserError(
                f'video {path} cannot be opened; download it and give the file'
                if path.startswith('http')
                else f'stream {path} cannot be opened: nobody answers there with a video; check the address'
            )
        raise UserError(f'video {path} cannot be opened or has no frame; copy or download it again')
    told = 0 < fps <= _FASTEST and 0 < count < _LONGEST
    if not told and not path.isdecimal():
        fps, count = _measured(path)
    length = len(range(int(count))[chosen]) if 0 < count < _LONGEST else None
    if length == 0:
        raise UserError(f'video {path} has {int(count)} frames, so none from number {chosen.start} on')
    rate = fps / chosen.step if math.isfinite(fps) and fps > 0 else None
    return Video(path, chosen, rate, (image.shape[1], image.shape[0]), length)


def _is_stream(path: str) -> bool:
    return '://' in path and not os.path.exists(path)


def _measured(path: str) -> tuple[float, int]:
    """Frames a second and how many there are by the timestamps, 0 for what cannot be told."""
    is_file = not _is_stream(path)
    stamps = _timestamps(path, None if is_file else _WATCHED)
    lasting = stamps[-1] - stamps[0] if stamps else 0
    return (1000 * (len(stamps) - 1) / lasting if lasting > 0 else 0), len(stamps) if is_file else 0


def _is_steady(capture: cv2.VideoCapture, path: str, number: int) -> bool:
    """Whether a frame comes when its number times the rate says, as OpenCV takes for granted where it seeks one."""
    stamps, rate = _timestamps(path), capture.get(cv2.CAP_PROP_FPS)
    return number < len(stamps) and abs((stamps[number] - stamps[0]) * rate / 1000 - number) < 0.5


def _timestamps(path: str, most: int | None = None) -> list[float]:
    """Milliseconds of a video's frames, of the first ``most`` alone, in order; nothing is decoded."""
    stamps: list[float] = []
    with capture_of(path, (cv2.CAP_PROP_FORMAT, -1)) as capture:
        while len(stamps) != most and capture.grab():
            stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    return sorted(stamps)


@contextmanager
def capture_of(path: str, settings: Sequence[int] = ()) -> Iterator[cv2.VideoCapture]:
    """OpenCV's reader of a file, URL or camera, released at the end of a ``with`` block.

    Args:
        settings: properties to open it with, each before its value.
    """
    capture = cv2.VideoCapture()
    _open(capture, path, settings)
    try:
        yield capture
    finally:
        capture.release()


def _open(capture: cv2.VideoCapture, path: str, settings: Sequence[int] = ()) -> None:
    with quiet():
        if path.isdecimal():
            capture.open(min(int(path), _LAST_CAMERA))
        elif _is_stream(path):
            limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT)
            capture.open(path, cv2.CAP_ANY, (*limits, *settings))
        else:
            with name_for_opencv(path) as name:
                capture.open(name, cv2.CAP_ANY, settings)
        # Phones write portrait videos lying on their side, with a note to turn them, which OpenCV 4.11 leaves aside.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)


@contextmanager
def name_for_opencv(path: str | os.PathLike) -> Iterator[str]:
    """A file's name as OpenCV can take it, until the end of a ``with`` block, in which it is opened.

    It is absolute, as FFmpeg takes what stands before a colon for a protocol, and a link's where the file's own is not
    UTF-8, which would end the process.
    """
    name = os.path.abspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = os.path.join(folder, f'video{os.path.splitext(name)[1]}')
            os.symlink(name, link)
            yield link
    else:
        yield name


@contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV from printing about what cannot be opened, which is told in one line of our own."""
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(0)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(level)
