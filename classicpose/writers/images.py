"""Images and videos with the people drawn on them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from ..people import PARTS, People
from ..video import Video
from ..visualization.people_and_maps import draw_people, part_threshold
from .base import ImageFiles, Writer
from .video import VideoFile


def draw(image: np.ndarray, people: People, threshold: float) -> np.ndarray:
    """A copy of the image (H, W, 3) with the people, their hands and faces and, where they are tracked, their ids."""
    canvas = draw_people(image, people.keypoints, people.keypoint_scores, people.skeleton, threshold)
    for name, part in people.parts.items():
        canvas = draw_people(canvas, part[..., :2], part[..., 2], PARTS[name], part_threshold(name, threshold))
    if people.track_ids is not None:
        for keypoints, scores, number in zip(people.keypoints, people.keypoint_scores, people.track_ids, strict=True):
            if not (scores > 0).any():
                continue
            x, y = keypoints[scores > 0][keypoints[scores > 0, 1].argmin()]
            place = (int(x) - 6, max(int(y) - 10, 12))
            for thickness, color in ((3, (0, 0, 0)), (1, (255, 255, 255))):
                cv2.putText(canvas, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, thickness, cv2.LINE_AA)
    return canvas


class OnBlack(Writer):
    """Gives another writer of drawings black images instead of those that were looked at."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __enter__(self) -> OnBlack:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)

    def write(self, people: People, image: np.ndarray) -> None:
        """Write about the people, on black."""
        self._writer.write(people, np.zeros_like(image))


class RenderedImages(ImageFiles):
    """Writes ``<name>_rendered.png`` for every image or frame, as OpenPose calls them, with its people."""

    endings = ('_rendered.png',)

    def __init__(self, folder: str | Path, threshold: float) -> None:
        super().__init__(folder)
        self._threshold = threshold

    def files(self, people: People, image: np.ndarray) -> dict[str, bytes]:
        """The drawn image."""
        return {self.endings[0]: cv2.imencode('.png', draw(image, people, self._threshold))[1].tobytes()}


class RenderedVideo(Writer):
    """Writes all frames with their people into one video, see :class:`VideoFile`.

    A video's frames last as long as they did, whatever the rate, where their times are known.
    """

    def __init__(self, path: str | Path, fps: float | None, threshold: float) -> None:
        self._file = VideoFile(path, fps)
        self._threshold = threshold
        self._last: tuple[str, float | None] = '', None

    def __enter__(self) -> RenderedVideo:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def write(self, people: People, image: np.ndarray) -> None:
        """Append the frame with its people."""
        path, time = self._last
        known = people.path == path and time is not None and people.time is not None
        self._file.write(draw(image, people, self._threshold), people.time - time if known else None)
        self._last = people.path, people.time


class Renderings(Writer):
    """Writes drawn images as :class:`RenderedImages`, and one ``<name>_rendered.mp4`` of every video.

    Args:
        videos: by the path that :attr:`People.path` gives, for the rates of what is written.
    """

    endings = RenderedImages.endings
    video_ending = '_rendered.mp4'

    def __init__(self, folder: str | Path, videos: Mapping[str, Video], threshold: float) -> None:
        self._images = RenderedImages(folder, threshold)
        self._folder = Path(folder)
        self._rates = {path: video.fps for path, video in videos.items()}
        self._threshold = threshold
        self._path: str | None = None
        self._current = ExitStack()
        self._video: RenderedVideo | None = None

    def __exit__(self, *error: object) -> None:
        self._current.__exit__(*error)

    def write(self, people: People, image: np.ndarray) -> None:
        """Write the image, or append the frame to its video."""
        if people.frame_number is None:
            self._images.write(people, image)
            return
        if people.path != self._path:
            self._current.close()
            path = self._folder / f'{people.source_name}{self.video_ending}'
            video = RenderedVideo(path, self._rates[people.path], self._threshold)
            self._video = self._current.enter_context(video)
            self._path = people.path
        self._video.write(people, image)
