"""People as a table of comma-separated values, for spreadsheets and pandas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..files import StreamedFile, six_digits
from ..people import PARTS, People
from ..skeletons import Skeleton


class CsvTable:
    """Writes one row a person an image, below a header.

    The columns are ``name`` of the image, ``track_id``, empty where nobody is tracked, ``score`` of the person, the box
    ``x1``, ``y1``, ``x2``, ``y2``, and of every keypoint of the network's body model ``<keypoint>_x``, ``<keypoint>_y``
    and ``<keypoint>_score``, then the same of the ``parts``, as in ``hand_left_thumb_1_x``. Coordinates are the image's
    pixels, integers at pixel centres; a missing keypoint is 0, 0, 0. An image without people has no row.

    The file has its name once it is whole: see :class:`~classicpose.files.StreamedFile`.

    Raises:
        UserError: when the file cannot be written.
    """

    def __init__(self, path: str | Path, skeleton: Skeleton, parts: Sequence[str] = ()) -> None:
        names = [*skeleton.keypoints, *(f'{part}_{name}' for part in parts for name in PARTS[part].keypoints)]
        keypoints = [f'{name}_{column}' for name in names for column in ('x', 'y', 'score')]
        header = ['name', 'track_id', 'score', 'x1', 'y1', 'x2', 'y2', *keypoints]
        self._parts = parts
        self._file = StreamedFile(path, start=_lines([header]))

    def __enter__(self) -> CsvTable:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Append the people of an image."""
        ids = [''] * len(people) if people.track_ids is None else people.track_ids
        body = np.dstack([people.keypoints, people.keypoint_scores])
        keypoints = np.concatenate([body, *(people.parts[part] for part in self._parts)], axis=1)
        numbers = np.column_stack([people.scores, people.boxes, *np.moveaxis(keypoints, 1, 0)])
        self._file.write(
            _lines([people.name, number, *six_digits(row)] for number, row in zip(ids, numbers, strict=True))
        )


def _lines(rows: Iterable[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows(rows)
    return text.getvalue()
