"""Videos as they are written."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError, make_folder
from ..video import capture_of, name_for_opencv, quiet

CODECS = {'.mp4': ('avc1', 'mp4v'), '.avi': ('XVID',), '.webm': ('VP80',)}
"""By a file's ending what it is written with, best first: H.264, which many builds of OpenCV lack, and MPEG-4; VP8,
which every browser plays, but is ten times slower to write."""

USUAL_FPS = 30.0
"""Rate of what has none: cameras that do not tell theirs, images."""


class VideoFile:
    """Writes frames to an .mp4, .avi or .webm file, in a ``with`` statement.

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
        with capture_of(str(self.path)) as capture:
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
            with quiet(), name_for_opencv(self.path) as name:
                writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*codec), self.fps, self._size)
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
