"""People as COCO results, the JSON list that pycocotools' ``loadRes`` and COCO's evaluation server read."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np

from ..files import StreamedFile, six_digits
from ..people import People, image_number
from ..skeletons import COCO17
from .openpose_json import converted_people

_PERSON = 1  # COCO's category


class CocoResults:
    """Writes the people of all images into one file: image_id, category_id, keypoints and score of each.

    The ``image_id`` is the number at the end of the image's name, as in COCO's own file names (000000000139 is 139)
    and a video's frames; where there is none, the image's position among those written, counted from 1. Keypoints are
    COCO's 17; the neck is dropped. A missing keypoint is 0, 0, 0, and a person without any is left out. Coordinates are
    unchanged: like ``BodyCocoMetric``, this takes COCO's as having integers at pixel centres.

    The file has its name once it is whole: see :class:`StreamedFile`.

    Args:
        numbered: whether the numbers at the ends of the names tell the images apart, see
            :attr:`~classicpose.inference.frames.Frames.numbered`. Where they do not, all images are counted, a warning
            says so, and each entry has the ``name`` of its image too.

    Raises:
        UserError: when the file cannot be written, or the body model has no keypoint of COCO's.
    """

    def __init__(self, path: str | Path, numbered: bool = True) -> None:
        if not numbered:
            logging.getLogger(__name__).warning(
                '%s: the numbers at the ends of the names do not tell the images apart, so image_id counts the images '
                'from 1, and each entry has the name of its image',
                path,
            )
        self._numbered = numbered
        self._file = StreamedFile(path, start='[', end='\n]\n')
        self._images = 0
        self._separator = '\n'

    def __enter__(self) -> CocoResults:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Append the people of an image."""
        self._images += 1
        number = image_number(people.name) if self._numbered else None
        results = coco_results(people, self._images if number is None else number)
        if not self._numbered:
            results = [result | dict(name=people.name) for result in results]
        entries = ',\n'.join(json.dumps(result) for result in results)
        self._file.write(self._separator + entries if entries else '')
        if entries:
            self._separator = ',\n'


def coco_results(people: People, number: int) -> list[dict]:
    """The entries of an image with the id ``number``, see :class:`CocoResults`."""
    scores = np.nan_to_num(people.scores)
    return [
        dict(image_id=number, category_id=_PERSON, keypoints=six_digits(keypoints), score=six_digits(score)[0])
        for keypoints, score in zip(converted_people(people, COCO17), scores, strict=True)
        if keypoints[:, 2].any()
    ]
