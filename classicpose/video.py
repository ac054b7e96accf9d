"""Videos as they are read: files, cameras and streams."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
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
# OpenCV 5 has moved the functions.
_LOGGING = cv2 if hasattr(cv2, 'getLogLevel') else cv2.utils.logging


@dataclass(frozen=True)
class Video:
    """A video that can be read, of which the frames ``chosen`` are wanted. Made by :func:`open_video`.

    Attributes:
        path: file, URL or camera index.
        fps: rate of the chosen frames, the video's own over the step between them: written at this rate they last as
            long as they did. None where it is not told.
        size: (w, h).
        length: number of chosen frames as far as the file knows, None for cameras and streams.
    """

    path: str
    chosen: slice
    fps: float | None
    size: tuple[int, int]
    length: int | None

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each chosen frame's number, from 0, and the frame, (H, W, 3) uint8 BGR, upright."""
        delivered = 0
        with capture_of(self.path) as capture:
            number = self.chosen.start
            self._go_to(capture, number)
            while self.chosen.stop is None or number < self.chosen.stop:
                found, image = capture.read()
                if not found:
                    break
                yield number, image
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
        if number and self.length is not None:
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
            raise UserError(f'camera {path} cannot be opened; check that it is connected and nobody else uses it')
        if '://' in path:
            raise UserError(f'video {path} cannot be opened; download it and give the file')
        raise UserError(f'video {path} cannot be opened or has no frame; copy or download it again')
    length = len(range(int(count))[chosen]) if 0 < count < _LONGEST else None
    if length == 0:
        raise UserError(f'video {path} has {int(count)} frames, so none from number {chosen.start} on')
    rate = fps / chosen.step if math.isfinite(fps) and fps > 0 else None
    return Video(path, chosen, rate, (image.shape[1], image.shape[0]), length)


@contextmanager
def capture_of(path: str) -> Iterator[cv2.VideoCapture]:
    """OpenCV's reader of a file, URL or camera, released at the end of a ``with`` block."""
    capture = cv2.VideoCapture()
    _open(capture, path)
    try:
        yield capture
    finally:
        capture.release()


def _open(capture: cv2.VideoCapture, path: str) -> None:
    with quiet():
        capture.open(int(path) if path.isdecimal() else path)
        # Phones write portrait videos lying on their side, with a note to turn them, which OpenCV 4.11 leaves aside.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV from printing about what cannot be opened, which is told in one line of our own."""
    level = _LOGGING.getLogLevel()
    _LOGGING.setLogLevel(0)
    try:
        yield
    finally:
        _LOGGING.setLogLevel(level)
