"""Videos as they are written: by PyAV, the extra ``video``, or else by OpenCV."""

from __future__ import annotations

import functools
import logging
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from ..errors import UserError, make_folder
from ..video import capture_of, name_for_opencv, quiet

CODECS = {'.mp4': ('avc1', 'mp4v'), '.avi': ('XVID',), '.webm': ('VP80',)}
"""By a file's ending what OpenCV writes it with, best first: H.264, which many of its builds lack, and MPEG-4; VP8,
which every browser plays, but is ten times slower to write. With PyAV .mp4 is always H.264."""

USUAL_FPS = 30.0
"""Rate of what has none: cameras that do not tell theirs, images."""

# PyAV's settings for H.264. Frames are in the order they are shown in, else a file of a variable rate ends too early.
_H264 = dict(preset='veryfast', bf='0')
_LARGEST_DENOMINATOR = 1001  # of rates, as 30000/1001
_TICKS = 90_000  # a second, at least; a whole number of them a frame


class VideoFile:
    """Writes frames to an .mp4, .avi or .webm file, in a ``with`` statement.

    With PyAV an .mp4 is H.264, which browsers play, and may have a variable rate.

    The file has its final name from the first frame on, and is closed however the block is left: after Ctrl-C or an
    error it holds the frames so far and can be played, or is removed where it holds none. Without a frame no file is
    made, and an older one stays.

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
        self._encoder: _OpenCvEncoder | _PyAvEncoder | None = None
        self._size = (0, 0)
        if self.path.suffix.lower() not in CODECS:
            raise UserError(f'{path}: a video is written as {" or ".join(CODECS)}; give a name that ends so')
        folder = make_folder(self.path.parent)
        if self.path.is_dir() or not os.access(self.path if self.path.exists() else folder, os.W_OK):
            raise UserError(f'video {path} cannot be written; give a file in a folder that you may write to')

    def write(self, image: np.ndarray, step: float | None = None) -> None:
        """Append a frame, (H, W, 3) uint8 BGR.

        Args:
            step: seconds since the frame before, where the file is H.264 of PyAV's; by default as the rate says.
        """
        if self._encoder is None:
            self._size = (image.shape[1], image.shape[0])
            h264 = self.path.suffix.lower() == '.mp4' and _pyav() is not None
            self._encoder = (_PyAvEncoder if h264 else _OpenCvEncoder)(self.path, self.fps, self._size)
        self._encoder.write(_fitted(image, self._size), step)
        self.written += 1

    def close(self) -> None:
        """Finish the file."""
        if self._encoder is None:
            return
        encoder, self._encoder = self._encoder, None
        try:
            encoder.close()
        finally:
            # OpenCV does not tell when writing fails.
            with capture_of(str(self.path)) as capture:
                stored = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
            if not stored:
                self.path.unlink(missing_ok=True)
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


class _OpenCvEncoder:
    """Writes frames of one size (w, h) at one rate."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        for codec in CODECS[path.suffix.lower()]:
            with quiet(), name_for_opencv(path) as name:
                self._writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*codec), fps, size)
            if self._writer.isOpened():
                break
        else:
            raise _cannot_be_written(path, fps, size)
        if codec == 'mp4v':
            logging.getLogger(__name__).warning(
                "video %s is MPEG-4, which browsers do not play; H.264 needs PyAV: pip install 'classicpose[video]'",
                path,
            )

    def write(self, image: np.ndarray, step: float | None) -> None:
        self._writer.write(image)

    def close(self) -> None:
        self._writer.release()


class _PyAvEncoder:
    """Writes frames of one size (w, h), each at its time, as H.264 that every browser plays."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        rate = Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR) or Fraction(1, _LARGEST_DENOMINATOR)
        self._path = path
        self._step = 1 / rate
        self._tick = Fraction(1, rate.numerator * math.ceil(_TICKS / rate.numerator))
        self._time = -self._step
        self._width, self._height = (side // 2 * 2 for side in size)
        self._name = ExitStack()  # FFmpeg opens the file by it once more at the end
        try:
            name = self._name.enter_context(name_for_opencv(path))
            self._file = _pyav().open(name, 'w', options=dict(movflags='+faststart'))
            self._stream = self._file.add_stream('libx264', rate=rate, options=_H264)
            self._stream.width, self._stream.height = self._width, self._height
            self._stream.pix_fmt = 'yuv420p'
            self._stream.time_base = self._stream.codec_context.time_base = self._tick
            self._stream.codec_context.open()
        except (_pyav().FFmpegError, ValueError) as error:
            raise _cannot_be_written(path, fps, size) from error

    def write(self, image: np.ndarray, step: float | None) -> None:
        # A clock that stands still or goes back is none.
        self._time += Fraction(step) if step and step >= self._tick else self._step
        even = np.ascontiguousarray(image[: self._height, : self._width])
        frame = _pyav().VideoFrame.from_ndarray(even, format='bgr24')
        frame.pts, frame.time_base = round(self._time / self._tick), self._tick
        with self._explained():
            self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            with self._explained():
                self._file.mux(self._stream.encode(None))  # what the encoder has held back
        finally:
            with self._name, self._explained():
                self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _pyav().FFmpegError as error:
            raise UserError(f'cannot write {self._path} ({error.strerror}): give another path') from error


def browsers_ending() -> str:
    """Of a video that every browser plays: .mp4 with PyAV; without it .webm, which takes ten times as long."""
    return '.mp4' if _pyav() else '.webm'


@functools.cache
def _pyav() -> ModuleType | None:
    """PyAV, where it is installed."""
    try:
        import av
    except ImportError:
        return None
    return av


def _cannot_be_written(path: Path, fps: float, size: tuple[int, int]) -> UserError:
    return UserError(
        f'video {path} cannot be written at {fps:g} frames a second and {size[0]}x{size[1]} '
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
