"""People in COCO's formats: results, which are scored, and datasets, which are corrected and trained on."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..errors import make_folder
from ..files import JsonList, six_digits, write_whole
from ..people import AREA_OF_BOX, People, boxes_around, image_number
from ..skeletons import COCO17, COCO23, Skeleton
from .base import FileAtTheEnd, OneFile
from .openpose_json import check_common, converted_people

_PERSON = 1  # COCO's category
_ORIENTATION = 0x0112  # of EXIF data
_UPRIGHT = 1


class CocoResults(OneFile):
    """Writes the people of all images into one file: image_id, category_id, keypoints and score of each.

    pycocotools' ``loadRes`` and COCO's evaluation server read it.

    The ``image_id`` is the number at the end of the image's name, as in COCO's own file names (000000000139 is 139)
    and a video's frames; where there is none, the image's position among those written, counted from 1. Keypoints are
    COCO's 17; the neck is dropped. A missing keypoint is 0, 0, 0, and a person without any is left out. Coordinates are
    unchanged: like ``BodyCocoMetric``, this takes COCO's as having integers at pixel centres.

    Args:
        numbered: whether the numbers at the ends of the names tell the images apart, see
            :attr:`~classicpose.inference.frames.Frames.numbered`. Where they do not, all images are counted, a warning
            says so, and each entry has the ``name`` of its image too.
        skeleton: of the people to come, who are then refused at once where they have no keypoint of COCO's.

    Raises:
        UserError: when the file cannot be written, or the body model has no keypoint of COCO's.
    """

    def __init__(self, path: str | Path, numbered: bool = True, skeleton: Skeleton | None = None) -> None:
        check_common(skeleton, COCO17)
        if not numbered:
            logging.getLogger(__name__).warning(
                '%s: the numbers at the ends of the names do not tell the images apart, so image_id counts the images '
                'from 1, and each entry has the name of its image',
                path,
            )
        super().__init__(JsonList(path))
        self._numbered = numbered
        self._images = 0

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Append the people of an image."""
        self._images += 1
        number = image_number(people.name) if self._numbered else None
        results = coco_results(people, self._images if number is None else number)
        self._file.extend(result | ({} if self._numbered else dict(name=people.name)) for result in results)


def coco_results(people: People, number: int) -> list[dict]:
    """The entries of an image with the id ``number``, see :class:`CocoResults`."""
    scores = np.nan_to_num(people.scores)
    return [
        dict(image_id=number, category_id=_PERSON, keypoints=six_digits(keypoints), score=six_digits(score)[0])
        for keypoints, score in zip(converted_people(people, COCO17), scores, strict=True)
        if keypoints[:, 2].any()
    ]


class CocoDataset(FileAtTheEnd):
    """Writes people as annotations in COCO's keypoint format, for labelling tools to correct and networks to train on.

    Images and annotations have ids from 1 on. A person has the keypoints of :func:`annotated_skeleton`, with v = 2
    where the score is more than ``threshold`` and the place in the image, else 0; the box around these; its
    :data:`AREA_OF_BOX` as area; no outline. People without such a keypoint are left out, images without people are
    there.

    An image's ``file_name`` is its path from the folder of ``path`` on, or the full one where it lies elsewhere. Where
    ``path`` is ``annotations/person_keypoints_<split>.json``, as in COCO, it is that from ``images/<split>`` on, beside
    ``annotations``. What is in no file as it was seen, a video's frame or a photograph that its EXIF data turn, is
    written to a folder there, called as the file with ``_images`` behind.

    Raises:
        UserError: when a file cannot be written.
    """

    def __init__(self, path: str | Path, threshold: float = 0.0) -> None:
        super().__init__(path)
        file = Path(os.path.abspath(path))
        split = file.stem.removeprefix('person_keypoints_')
        in_coco = file.parent.with_name('images') / split if file.parent.name == 'annotations' else None
        self._start = in_coco or file.parent
        # Not among the photographs, where the turned one would replace its original.
        self._new_images = self._start / f'{file.stem}_images'
        self._threshold = threshold
        self._skeleton: Skeleton | None = None
        # As text, which takes a tenth of the memory.
        self._images: list[str] = []
        self._annotations: list[str] = []

    def keep(self, people: People, image: np.ndarray) -> None:
        """Keep an image and its people."""
        self._skeleton = annotated_skeleton(people.skeleton)
        width, height = people.image_size
        number = len(self._images) + 1
        entry = dict(id=number, file_name=self._file_name(people, image), width=width, height=height)
        keypoints = converted_people(people, self._skeleton)
        last = np.array(people.image_size) - 1
        keypoints[((keypoints[..., :2] < 0) | (keypoints[..., :2] > last)).any(axis=-1)] = 0
        for person in keypoints[(keypoints[..., 2] > self._threshold).any(axis=1)]:
            own = dict(id=len(self._annotations) + 1, image_id=number, category_id=_PERSON)
            self._annotations.append(json.dumps(own | annotation(person, self._threshold)))
        self._images.append(json.dumps(entry))

    def contents(self) -> str:
        """The file."""
        skeleton = self._skeleton or COCO17
        category = dict(
            id=_PERSON,
            name='person' if 'left_shoulder' in skeleton.keypoints else skeleton.name,
            keypoints=skeleton.keypoints,
            skeleton=[[start + 1, end + 1] for start, end in skeleton.limbs],
        )
        lists = dict(images=self._images, annotations=self._annotations, categories=[json.dumps(category)])
        return '{' + ',\n'.join(f'"{name}": [\n' + ',\n'.join(lines) + '\n]' for name, lines in lists.items()) + '}\n'

    def _file_name(self, people: People, image: np.ndarray) -> str:
        file = Path(os.path.abspath(people.path))  # not resolved: a link is where it is
        if people.frame_number is not None or not _is_as_seen(file):
            file = make_folder(self._new_images) / f'{people.name}.jpg'
            encoded = cv2.imencode('.jpg', image)[1].tobytes()
            write_whole(file, lambda path: path.write_bytes(encoded))
        return (file.relative_to(self._start) if file.is_relative_to(self._start) else file).as_posix()


def annotated_skeleton(skeleton: Skeleton) -> Skeleton:
    """COCO's keypoints, with feet where they are found, for networks that find them all; else the network's own."""
    return next((coco for coco in (COCO23, COCO17) if set(coco.keypoints) <= set(skeleton.keypoints)), skeleton)


def annotation(keypoints: np.ndarray, threshold: float) -> dict:
    """What COCO's format tells of somebody with the keypoints (K, 3), one of which scores more than ``threshold``."""
    found = keypoints[:, 2] > threshold
    x1, y1, x2, y2 = boxes_around(keypoints[None, :, :2], found[None])[0]
    box = np.array([x1, y1, x2 - x1, y2 - y1])
    labels = [
        (*six_digits(point), 2) if there else (0, 0, 0) for point, there in zip(keypoints[:, :2], found, strict=True)
    ]
    return dict(
        keypoints=[number for label in labels for number in label],
        num_keypoints=int(found.sum()),
        bbox=six_digits(box),
        area=six_digits(AREA_OF_BOX * box[2] * box[3])[0],
        segmentation=[],
        iscrowd=0,
    )


def _is_as_seen(file: Path) -> bool:
    """Whether an image is there, and no EXIF data turn it, which training ignores."""
    try:
        with Image.open(file) as image:
            return image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
    except OSError:
        return False
