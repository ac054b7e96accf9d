"""Boxes of people for single-person networks.

They are the full image, or come from a file or a bottom-up network; ``custom_modules.prediction`` has a detector.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..people import People
from ..skeletons import Skeleton
from .frames import Frame

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

    Images are found by their file name without its ending (a video's frames by ``People.name``), else by the number
    at its end, which is COCO's image id. Boxes of other categories than 1 are left out.

    Raises:
        UserError: when the file is missing or malformed.
    """

    def __init__(self, path: str | Path) -> None:
        self._boxes: dict[str | int, list[list[float]]] = defaultdict(list)
        try:
            contents = json.loads(Path(path).read_text())
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
        for entry in contents:
            if entry.get('category_id', _PERSON) != _PERSON:
                continue
            name = names.get(entry.get('image_id'), entry.get('file_name'))
            key = Path(name).stem if name is not None else int(entry['image_id'])
            x, y, width, height = map(float, entry['bbox'])
            self._boxes[key].append([x, y, x + width, y + height, float(entry.get('score', 1))])

    def __call__(self, frame: Frame) -> np.ndarray:
        """(N, 5) x1, y1, x2, y2, score; N is 0 for an image that the file does not name."""
        digits = re.search(r'\d+$', frame.name)
        keys = [frame.name] + ([int(digits[0])] if digits else [])
        found = next((self._boxes[key] for key in keys if key in self._boxes), [])
        return np.array(found, dtype=np.float32).reshape(-1, 5)


class BoxesOfPeople:
    """Boxes of the people whom a bottom-up network finds, as a single-person network was shown them in training.

    Args:
        predictor: finds the people, a bottom-up :class:`~classicpose.inference.Predictor`.
        skeleton: of the single-person network: with ankles it wants whole bodies as COCO's boxes have them, without
            them squares around the upper body as FLIC's cascades do.
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
