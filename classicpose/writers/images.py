"""Images and videos with the people drawn on them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from ..errors import make_folder
from ..files import write_whole
from ..people import PARTS, People
from ..video import Video
from ..visualization.people_and_maps import draw_people
from .video import VideoFile

# OpenPose's own, higher than the body's: a maximum is there in every map.
_PART_THRESHOLDS = dict(hand_left=0.2, hand_right=0.2, face=0.4)


def draw(image: np.ndarray, people: People, threshold: float) -> np.ndarray:
    """A copy of the image (H, W, 3) with the people, their hands and faces and, where they are tracked, their ids."""
    canvas = draw_people(image, people.keypoints, people.keypoint_scores, people.skeleton, threshold)
    for name, part in people.parts.items():
        lowest = max(threshold, _PART_THRESHOLDS[name])
        canvas = draw_people(canvas, part[..., :2], part[..., 2], PARTS[name], lowest)
    if people.track_ids is not None:
        for keypoints, scores, number in zip(people.keypoints, people.keypoint_scores, people.track_ids, strict=True):
            if not (scores > 0).any():
                continue
            x, y = keypoints[scores > 0][keypoints[scores > 0, 1].argmin()]
            place = (int(x) - 6, max(int(y) - 10, 12))
            for thickness, color in ((3, (0, 0, 0)), (1, (255, 255, 255))):
                cv2.putText(canvas, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, thickness, cv2.LINE_AA)
    return canvas


class RenderedImages:
    """Writes ``<name>_rendered.png`` for every image or frame, as OpenPose calls them, each whole or not at all.

    Raises:
        UserError: when the folder or a file cannot be written.
    """

    endings = ('_rendered.png',)

    def __init__(self, folder: str | Path, threshold: float) -> None:
        self._folder = make_folder(folder)
        self._threshold = threshold

    def __enter__(self) -> RenderedImages:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def write(self, people: People, image: np.ndarray) -> None:
        """Write the image with its people."""
        encoded = cv2.imencode('.png', draw(image, people, self._threshold))[1].tobytes()
        write_whole(self._folder / f'{people.name}{self.endings[0]}', lambda path: path.write_bytes(encoded))


class RenderedVideo:
    """Writes all frames into one video, in a ``with`` statement, see :class:`VideoFile`."""

    def __init__(self, path: str | Path, fps: float | None, threshold: float) -> None:
        self._file = VideoFile(path, fps)
        self._threshold = threshold

    def __enter__(self) -> RenderedVideo:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def write(self, people: People, image: np.ndarray) -> None:
        """Append the frame with its people."""
        self._file.write(draw(image, people, self._threshold))


class Renderings:
    """Writes drawn images, and one ``<name>_rendered.mp4`` of every video, in a ``with`` statement.

    Images are written as :class:`RenderedImages` does.

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

    def __enter__(self) -> Renderings:
        return self

    def __exit__(self, *error: object) -> None:
        self._current.__exit__(*error)

    def write(self, people: People, image: np.ndarray) -> None:
        """Write the image, or append the frame to its video."""
        if people.frame_number is None:
            self._images.write(people, image)
            return
        if people.path != self._path:
            self._current.close()
            name = people.name.removesuffix(f'_{people.frame_number:012d}') + self.video_ending
            video = RenderedVideo(self._folder / name, self._rates[people.path], self._threshold)
            self._video = self._current.enter_context(video)
            self._path = people.path
        self._video.write(people, image)
