"""Skeletons for action recognition: the pickle that PYSKL and MMAction2 train on and classify."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from ..people import People
from ..skeletons import COCO17, Skeleton
from .base import FileAtTheEnd
from .openpose_json import check_common, converted_people
from .recordings import Recording, Recordings

_UNLABELLED = -1


class ActionFile(FileAtTheEnd):
    """Writes a list of all videos and folders of images, see :func:`action_sample`, with COCO's 17 keypoints.

    Args:
        skeleton: of the people to come, who are then refused at once where they have none of these.

    Raises:
        UserError: when the file cannot be written, or the body model has no keypoint of COCO's.
    """

    def __init__(self, path: str | Path, skeleton: Skeleton | None = None) -> None:
        check_common(skeleton, COCO17)
        super().__init__(path)
        self._recordings = Recordings()

    def keep(self, people: People, image: np.ndarray | None) -> None:
        """Keep the people of an image."""
        self._recordings.add(people, converted_people(people, COCO17))

    def contents(self) -> bytes:
        """The pickle."""
        return pickle.dumps([action_sample(recording) for recording in self._recordings])


def action_sample(recording: Recording) -> dict:
    """A sample for PYSKL: ``frame_dir``, the video's name, ``total_frames`` T, ``img_shape`` and ``original_shape``
    (h, w), ``label`` -1, ``keypoint`` (M, T, V, 2) and ``keypoint_score`` (M, T, V) float32, 0 where nothing was found.

    M is the largest number of people at a time, at least 1. A person has one place from the first to the last frame,
    and a later person may take the place of a person who has left.
    """
    places, count = _places(recording.spans())
    keypoints = np.zeros((max(count, 1), len(recording.frames), len(COCO17.keypoints), 3), np.float32)
    for frame, people in enumerate(recording.people):
        for number, person in people.items():
            keypoints[places[number], frame] = person
    shape = recording.image_size[::-1]
    return dict(
        frame_dir=recording.name,
        total_frames=len(recording.frames),
        img_shape=shape,
        original_shape=shape,
        label=_UNLABELLED,
        keypoint=keypoints[..., :2],
        keypoint_score=keypoints[..., 2],
    )


def _places(spans: dict[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Everybody's place by their number, as few as there can be, and how many there are."""
    places: dict[int, int] = {}
    last_frames: list[int] = []  # of each place
    for number, (first, last) in spans.items():
        place = next((place for place, end in enumerate(last_frames) if end < first), len(last_frames))
        last_frames[place : place + 1] = [last]
        places[number] = place
    return places, len(last_frames)
