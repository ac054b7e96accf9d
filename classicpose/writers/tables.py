"""People as tables of comma-separated values, for spreadsheets, pandas and programs that study movement.

Convention: pixels with integers at their centres. What was not found is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import make_folder
from ..files import StreamedFile, six_digits, write_whole
from ..people import PARTS, People
from ..skeletons import Skeleton
from .base import OneFile, Writer
from .recordings import Recording, Recordings

_SCORER = 'classicpose'  # who labelled, in DeepLabCut's words


class WideTable(OneFile):
    """Writes one row a person an image; an image without people has a row without a person.

    The columns are ``file``, ``name`` of the image, ``frame`` and ``time`` in seconds of a video's frames, ``width``
    and ``height`` of the image, ``person``, see :attr:`People.numbers`, ``person_score``, the box ``x1``, ``y1``,
    ``x2``, ``y2``, and of every keypoint of the network's body model ``<keypoint>_x``, ``<keypoint>_y`` and
    ``<keypoint>_score``, then the same of the ``parts``, as in ``hand_left_thumb_1_x``.

    Raises:
        UserError: when the file cannot be written.
    """

    def __init__(self, path: str | Path, skeleton: Skeleton, parts: Sequence[str] = ()) -> None:
        columns = [f'{name}_{column}' for name in _names(skeleton, parts) for column in ('x', 'y', 'score')]
        header = ['file', 'name', 'frame', 'time', 'width', 'height', 'person', 'person_score', 'x1', 'y1', 'x2', 'y2']
        self._parts = parts
        self._empty = [''] * (len(header) + len(columns) - header.index('person'))
        super().__init__(StreamedFile(path, start=_lines([[*header, *columns]])))

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Append the people of an image."""
        file, *frame = _frame(people)
        rows = [
            [number, *six_digits(score), *_cells(box), *_cells(keypoints)]
            for number, score, box, keypoints in zip(
                people.numbers, people.scores, people.boxes, _keypoints(people, self._parts), strict=True
            )
        ]
        start = [file, people.name, *frame, *people.image_size]
        self._file.write(_lines([*start, *row] for row in rows or [self._empty]))


class LongTable(OneFile):
    """Writes one row a keypoint; an image without people has a row without a person.

    The columns are ``file``, ``frame`` and ``time`` in seconds of a video's frames, ``person``, see
    :attr:`People.numbers`, ``keypoint``, ``x``, ``y`` and ``score``. Keypoints of the ``parts`` are called as in
    ``hand_left_thumb_1``.

    Raises:
        UserError: when the file cannot be written.
    """

    def __init__(self, path: str | Path, skeleton: Skeleton, parts: Sequence[str] = ()) -> None:
        self._parts, self._names = parts, _names(skeleton, parts)
        header = ['file', 'frame', 'time', 'person', 'keypoint', 'x', 'y', 'score']
        super().__init__(StreamedFile(path, start=_lines([header])))

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Append the keypoints of an image's people."""
        rows = [
            [number, name, *_cells(keypoint)]
            for number, keypoints in zip(people.numbers, _keypoints(people, self._parts), strict=True)
            for name, keypoint in zip(self._names, keypoints, strict=True)
        ]
        self._file.write(_lines([*_frame(people), *row] for row in rows or [[''] * 5]))


class DeepLabCutTables(Writer):
    """Writes ``<name>.csv`` for every video, or folder of images, as DeepLabCut does, which movement reads.

    Four rows are the header: scorer, individuals, bodyparts, coords (x, y, likelihood). Then there is a row a frame,
    people or not, that begins with its number. The individuals are called by their :attr:`People.numbers`, ``person0``.

    Raises:
        UserError: when the folder or a file cannot be written.
    """

    def __init__(self, folder: str | Path, skeleton: Skeleton) -> None:
        self._folder = make_folder(folder)
        self._skeleton = skeleton
        self._recordings = Recordings()

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Keep the people of an image."""
        self._recordings.add(people, people.found_keypoints)

    def __exit__(self, *error: object) -> None:
        for recording in self._recordings:
            table = _lines(deeplabcut_rows(recording, self._skeleton))
            write_whole(self._folder / f'{recording.name}.csv', lambda path, table=table: path.write_text(table))


def deeplabcut_rows(recording: Recording, skeleton: Skeleton) -> list[list]:
    """The rows of :class:`DeepLabCutTables`."""
    numbers = recording.spans()
    columns = [
        (_SCORER, f'person{number}', name, coordinate)
        for number in numbers
        for name in skeleton.keypoints
        for coordinate in ('x', 'y', 'likelihood')
    ]
    levels = ('scorer', 'individuals', 'bodyparts', 'coords')
    header = [[level, *(column[place] for column in columns)] for place, level in enumerate(levels)]
    nobody = np.zeros((len(skeleton.keypoints), 3))
    return header + [
        [frame, *(cell for number in numbers for cell in _cells(people.get(number, nobody)))]
        for frame, people in zip(recording.frames, recording.people, strict=True)
    ]


def _names(skeleton: Skeleton, parts: Sequence[str]) -> list[str]:
    return [*skeleton.keypoints, *(f'{part}_{name}' for part in parts for name in PARTS[part].keypoints)]


def _keypoints(people: People, parts: Sequence[str]) -> np.ndarray:
    """(P, K, 3) of the body and the parts."""
    return np.concatenate([people.found_keypoints, *(people.parts[part] for part in parts)], axis=1)


def _frame(people: People) -> list:
    """An image's file, and of a video's frame its number and time."""
    time = '' if people.time is None else round(people.time, 6)
    return [people.path, '' if people.frame_number is None else people.frame_number, time]


def _cells(numbers: np.ndarray) -> list:
    """Boxes (4,) or keypoints (..., 3) in a row, those without a score empty."""
    if numbers.shape[-1] == 3:
        numbers = np.where(numbers[..., 2:] > 0, numbers, np.nan)
    return [number if np.isfinite(number) else '' for number in six_digits(numbers)]


def _lines(rows: Iterable[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()
