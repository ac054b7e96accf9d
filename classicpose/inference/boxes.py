"""Boxes of people for single-person networks.

They are the full image, or come from a file or a bottom-up network; ``custom_modules.prediction`` has a detector.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import UserError, first_names
from ..people import People, image_number
from ..skeletons import Skeleton
from .frames import PICTURE_ENDINGS, VIDEO_ENDINGS, Frame

_PERSON = 1  # of COCO's categories
# The side of FLIC's boxes in torso heights; a torso is as high as shoulders and hips are apart (the median of FLIC's
# training people is 0.99, its middle 0.01 from theirs).
_SIDE = 3.0
# How far COCO's boxes reach beyond the outermost keypoints, left and above, right and below, in the longer side of the
# box around these: medians of COCO-mini's 4,280 training people with eight keypoints or more, left and right
# alike.
_BEFORE = np.array([0.07, 0.13])
_BEHIND = np.array([0.07, 0.09])
_FORMAT = 'a COCO annotation file, or a list of {"image_id" or "file_name": ..., "bbox": [x, y, w, h], "score": ...}'


def full_image(frame: Frame) -> np.ndarray:
    """(1, 5): one box around everything, x1, y1, x2, y2, score."""
    height, width = frame.image.shape[:2]
    return np.array([[0, 0, width, height, 1]], dtype=np.float32)


class BoxFile:
    """Boxes of a JSON file: COCO annotations, or a list such as detectors write for COCO.

    Images are found by their file name without its ending (a video's frames by ``People.name``), of several with that
    name by the longest end of the path that agrees, and else by the number at the end of the name, which is COCO's
    image id. Boxes of other categories than 1 are left out.

    Raises:
        UserError: when the file is missing or malformed, or has boxes of other categories alone.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        # By a name without folders and ending: by its parts the boxes of every image that is called so.
        self._named: dict[str, dict[tuple[str, ...], list[list[float]]]] = defaultdict(lambda: defaultdict(list))
        self._numbered: dict[int, list[list[float]]] = defaultdict(list)
        self._taken: dict[int, str] = {}
        self._found = False
        try:
            contents = json.loads(Path(path).read_bytes())
        except OSError as error:
            raise UserError(f'boxes {path} cannot be read ({error.strerror}); give {_FORMAT}') from error
        except ValueError as error:
            raise UserError(f'boxes {path} is not a JSON file ({error}); give {_FORMAT}') from error
        try:
            self._read(contents)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f'boxes {path}: {type(error).__name__} {error}; give {_FORMAT}') from error

    def _read(self, contents: dict | list) -> None:
        names = {}
        if isinstance(contents, dict):
            names = {image['id']: image['file_name'] for image in contents['images']}
            contents = contents['annotations']
        for name in names.values():
            self._boxes_of(name)
        categories = Counter(entry.get('category_id', _PERSON) for entry in contents)
        if contents and _PERSON not in categories:
            raise UserError(
                f'boxes {self._path}: all {len(contents)} boxes are of category '
                f'{" or ".join(map(str, categories))}; people have category_id {_PERSON}, as in COCO, or none'
            )
        for entry in contents:
            if entry.get('category_id', _PERSON) != _PERSON:
                continue
            name = names.get(entry.get('image_id'), entry.get('file_name'))
            boxes = self._numbered[int(entry['image_id'])] if name is None else self._boxes_of(name)
            x, y, width, height = map(float, entry['bbox'])
            boxes.append([x, y, x + width, y + height, float(entry.get('score', 1))])

    def _boxes_of(self, file_name: str) -> list[list[float]]:
        parts = _parts(file_name)
        stem, ending = os.path.splitext(parts[-1])
        return self._named[stem if ending.lower() in PICTURE_ENDINGS + VIDEO_ENDINGS else parts[-1]][parts]

    def __call__(self, frame: Frame) -> np.ndarray:
        """(N, 5) x1, y1, x2, y2, score; N is 0 for an image that the file does not name.

        Raises:
            UserError: when the file does not tell which of several images it is.
        """
        found = self._by_name(frame)
        if found is None:
            found = self._by_number(frame)
        self._found |= found is not None
        return np.array(found or [], dtype=np.float32).reshape(-1, 5)

    def check_found(self) -> None:
        """Raise UserError where the file has named none of the images so far."""
        if not self._found:
            names = ['/'.join(parts) for images in self._named.values() for parts in images]
            raise UserError(
                f'boxes {self._path} names none of the images; it names {first_names([*names, *self._numbered])}'
            )

    def _by_name(self, frame: Frame) -> list[list[float]] | None:
        images = self._named.get(_parts(frame.name)[-1])
        if not images:
            return None
        own = _parts(os.path.abspath(frame.path)) if frame.path else ('',)

        def agreement(parts: tuple[str, ...]) -> tuple[int, bool, bool]:
            common = len(os.path.commonprefix([own[-2::-1], parts[-2::-1]]))
            return common, common == len(parts) - 1, parts[-1] == own[-1]

        best = max(map(agreement, images))
        first, *others = (parts for parts in images if agreement(parts) == best)
        if others:
            may_be = ' or '.join(map('/'.join, (first, *others)))
            raise UserError(f'boxes {self._path}: {frame.path or frame.name} may be {may_be}: give it in its folder')
        return images[first]

    def _by_number(self, frame: Frame) -> list[list[float]] | None:
        number = image_number(frame.name)
        if number not in self._numbered:
            return None
        other = self._taken.setdefault(number, frame.name)
        if other != frame.name:
            raise UserError(
                f'boxes {self._path}: {other} and {frame.name} both end in {number}, by which the file names an image: '
                'rename one or give them in separate runs'
            )
        return self._numbered[number]


def _parts(path: str) -> tuple[str, ...]:
    """The folders and the name in a path of any system."""
    return tuple(part for part in re.split(r'[\\/]', path) if part not in ('', '.')) or ('',)


class BoxesOfPeople:
    """Boxes of the people whom a bottom-up network finds, like those in the single-person network's training.

    Args:
        predictor: a bottom-up ``Predictor``, which finds the people.
        skeleton: the single-person network's. With ankles the boxes are whole bodies, like COCO's; without ankles they
            are squares around the upper body, as FLIC's cascades need them.
    """

    def __init__(self, predictor: Callable[[Frame], People], skeleton: Skeleton) -> None:
        self._predictor = predictor
        self._boxes = whole_body_boxes if 'left_ankle' in skeleton.keypoints else upper_body_squares

    def __call__(self, frame: Frame) -> np.ndarray:
        """(N, 5) x1, y1, x2, y2, score."""
        return self._boxes(self._predictor(frame))


def whole_body_boxes(people: People) -> np.ndarray:
    """(N, 5) x1, y1, x2, y2, score: around the keypoints found, and as much beyond them as in COCO's boxes."""
    low, high = people.boxes[:, :2], people.boxes[:, 2:]
    size = (high - low).max(axis=1, keepdims=True)
    return np.hstack([low - size * _BEFORE, high + size * _BEHIND, people.scores[:, None]]).astype(np.float32)


def upper_body_squares(people: People) -> np.ndarray:
    """(N, 5) x1, y1, x2, y2, score: around the middle of shoulders and hips, three times as wide as these are apart.

    Where nobody's shoulder or hip was found, it is the smallest square around what was.
    """
    shoulders, hips = (_middle(people, part) for part in ('shoulder', 'hip'))
    low, high = people.boxes[:, :2], people.boxes[:, 2:]
    torso = np.linalg.norm(hips - shoulders, axis=1, keepdims=True)
    known = torso > 0  # NaN is not
    center = np.where(known, (shoulders + hips) / 2, (low + high) / 2)
    side = np.where(known, _SIDE * torso, (high - low).max(axis=1, keepdims=True))
    return np.hstack([center - side / 2, center + side / 2, people.scores[:, None]]).astype(np.float32)


def _middle(people: People, part: str) -> np.ndarray:
    """(N, 2), between left and right or of the one that was found; NaN without either."""
    pair = [people.skeleton.keypoints.index(f'{side}_{part}') for side in ('left', 'right')]
    found = people.keypoint_scores[:, pair, None] > 0
    count = found.sum(axis=1)
    return np.where(found, people.keypoints[:, pair], 0).sum(axis=1) / np.where(count, count, np.nan)
