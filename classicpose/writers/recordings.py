"""The people of a video's frames, or of a folder's images, kept together for formats that tell of them as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..people import People


@dataclass
class Recording:
    """The people of a video, or of the images of a folder.

    Attributes:
        name: the video's, without its ending, or the folder's.
        image_size: of the first frame.
        frames: numbers of a video's frames; the places of images, from 0.
        people: of each frame, by their :attr:`People.numbers`, the people of whom a keypoint was found: (K, 3) x, y and
            score, zeros for the others.
    """

    name: str
    image_size: tuple[int, int]
    frames: list[int] = field(default_factory=list)
    people: list[dict[int, np.ndarray]] = field(default_factory=list)

    def spans(self) -> dict[int, tuple[int, int]]:
        """The places of the first and the last frame of everybody, in the order of the first, by their number."""
        spans: dict[int, tuple[int, int]] = {}
        for place, people in enumerate(self.people):
            for number in people:
                spans[number] = spans.get(number, (place,))[0], place
        return spans


class Recordings:
    """Sorts frames by the video or the folder they belong to."""

    def __init__(self) -> None:
        self._recordings: dict[str, Recording] = {}

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings.values())

    def add(self, people: People, keypoints: np.ndarray) -> None:
        """Keep a frame's people with their keypoints (P, K, 3)."""
        is_video = people.path != '' and people.frame_number is not None
        source = people.path if is_video else str(Path(people.path).parent)
        if source not in self._recordings:
            name = people.source_name if is_video else Path(source).resolve().name
            self._recordings[source] = Recording(self._free(name), people.image_size)
        recording = self._recordings[source]
        recording.frames.append(people.frame_number if is_video else len(recording.frames))
        there = zip(people.numbers.tolist(), keypoints, strict=True)
        recording.people.append({number: person for number, person in there if person[:, 2].any()})

    def _free(self, name: str) -> str:
        """The name, with a number behind it where another recording has it."""
        taken = {recording.name for recording in self}
        numbered = (f'{name}_{number}' for number in range(2, len(taken) + 2))
        return next(new for new in (name, *numbered) if new not in taken)
