"""Videos as they are read and written: files, and for reading also cameras and streams."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log

from ..errors import UserError, make_folder

CODECS = {'.mp4': ('avc1', 'mp4v'), '.avi': ('XVID',)}
"""By a file's ending what it is written with, best first: H.264, which many builds of OpenCV lack, and MPEG-4."""

USUAL_FPS = 30.0
"""Rate of what has none: cameras that do not tell theirs, pictures."""

# FFmpeg would print about files that cannot be opened, which is told in one line of our own. It reads this when the
# process opens its first video.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

_LONGEST = 10**9  # frames; streams claim absurd lengths
# Some containers only estimate the number of their frames. Fewer than this share of it is worth a warning.
_TRUNCATED = 0.9


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
        with _capture(self.path) as capture:
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
            print_log(
                f'video {self.path} ended after {delivered} of {self.length} frames; it may be truncated',
                'current',
                level=logging.WARNING,
            )

    def _go_to(self, capture: cv2.VideoCapture, number: int) -> None:
        """Make a frame the next one to be read."""
        if number and self.length is not None:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            if capture.get(cv2.CAP_PROP_POS_FRAMES) == number:
                return
            capture.open(self.path)
        for _ in range(number):
            capture.grab()


def open_video(path: str, chosen: slice = slice(0, None, 1)) -> Video:
    """Look into a video file, a stream's URL or, by its index, a camera.

    Raises:
        UserError: when it cannot be opened or has no frame, or none of the chosen ones.
    """
    with _capture(path) as capture:
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


class VideoFile:
    """Writes frames to an .mp4 or .avi file, in a ``with`` statement.

    The file has its final name from the first frame on, and is closed however the block is left: after Ctrl-C or an
    error it holds the frames so far and can be played. Without a frame no file is made, and an older one stays.

    The first frame gives the size. Others are scaled into it, their aspect kept, on black. The encoders need even
    sides: of an odd one the last column or row is lost.

    Args:
        path: its folder is made where it is missing.
        fps: frames a second, as :attr:`Video.fps` gives it, None for :data:`USUAL_FPS`.

    Raises:
        UserError: when the ending is another one or the path cannot be written; from :meth:`write` when no codec
            works; on leaving the block when the file is not complete.
    """

    def __init__(self, path: str | os.PathLike, fps: float | None = None) -> None:
        self.path = Path(path)
        self.fps = fps or USUAL_FPS
        self.written = 0
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        if self.path.suffix.lower() not in CODECS:
            raise UserError(f'{path}: a video is written as {" or ".join(CODECS)}; give a name that ends so')
        folder = make_folder(self.path.parent)
        if self.path.is_dir() or not os.access(self.path if self.path.exists() else folder, os.W_OK):
            raise UserError(f'video {path} cannot be written; give a file in a folder that you may write to')

    def write(self, image: np.ndarray) -> None:
        """Append a frame, (H, W, 3) uint8 BGR."""
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._open()
        self._writer.write(_fitted(image, self._size))
        self.written += 1

    def close(self) -> None:
        """Finish the file."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        # OpenCV does not tell when writing fails.
        with _capture(str(self.path)) as capture:
            stored = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        if stored != self.written:
            raise UserError(
                f'video {self.path} holds {stored} of {self.written} frames; check that there is room on the disk'
            )

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except UserError:
            if kind is None:  # else the error that is on its way matters more
                raise

    def _open(self) -> cv2.VideoWriter:
        for codec in CODECS[self.path.suffix.lower()]:
            with _quiet():
                writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter_fourcc(*codec), self.fps, self._size)
            if writer.isOpened():
                return writer
        raise UserError(
            f'video {self.path} cannot be written at {self.fps:g} frames a second and {self._size[0]}x{self._size[1]} '
            f'pixels; give another place or ending ({" ".join(CODECS)})'
        )


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image scaled into a size (w, h), in its middle."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    new = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (size[0] - new[0]) // 2, (size[1] - new[1]) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + new[1], left : left + new[0]] = cv2.resize(image, new, interpolation=interpolation)
    return canvas


@contextmanager
def _capture(path: str) -> Iterator[cv2.VideoCapture]:
    with _quiet():
        capture = cv2.VideoCapture(int(path) if path.isdecimal() else path)
    try:
        yield capture
    finally:
        capture.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from printing about what cannot be opened, which is told in one line of our own."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
