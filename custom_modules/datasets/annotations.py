"""COCO keypoint files as they are read.

They are checked once for all that is used later, and completed where other tools leave out what can be derived.
"""

from __future__ import annotations

import functools
import json
import logging
from typing import TYPE_CHECKING

from mmengine.fileio import exists
from mmengine.logging import print_log

from classicpose.errors import UserError, count_and_name
from classicpose.people import AREA_OF_BOX
from classicpose.skeletons import COCO17, COCO23, Skeleton

from .mistakes import AS_SHARES, SHARED_IDS, doubtful, is_labelled, malformed, numbers, objects, wrong_keypoints

if TYPE_CHECKING:
    from xtcocotools.coco import COCO

# So large a share of the people makes a mistake the file's, not that of a few.
_MANY = 0.1


def load_annotation_file(path: str, annotated: Skeleton, evaluated: bool = False) -> dict:
    """Read a COCO keypoint file, check it, and give all annotations the keypoints of ``annotated``.

    Fields that can be derived from others are added.

    These are the file's own or, of files with feet, any of COCO23's: feet may stand behind COCO's 17 keypoints or, as
    in COCO-WholeBody's files, in ``foot_kpts``. What is :func:`doubtful` is told, and where it would make all of the
    training or the evaluation wrong, refused.

    Args:
        evaluated: whether average precision is computed on it.

    Raises:
        UserError: naming the file, what is wrong in it, with the ids concerned, and the remedy.
    """
    if not exists(path):
        raise UserError(
            f'annotation file {path} does not exist; put the dataset there or point data_root at it '
            '(docs/data_and_runs.md says where from; the environment variable CLASSICPOSE_DATA moves the data folder)'
        )
    try:
        with open(path, 'rb') as file:
            contents = json.loads(file.read())  # of bytes, as those know of byte-order marks
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'annotation file {path} is not readable JSON ({error}); copy or download it again') from error
    if not isinstance(contents, dict):
        raise UserError(f'annotation file {path} is a list, not a COCO annotation file; is it a results file?')
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(contents.get(key), list):
            raise UserError(f'annotation file {path} has no list "{key}"; COCO keypoint files have one')
    count = len(annotated.keypoints)
    _take_keypoints(contents, annotated)
    derived = complete(contents)
    mistakes, doubts = malformed(contents, count), {}
    if not mistakes:
        doubts = doubtful(contents)
        many = _MANY * sum(map(is_labelled, contents['annotations']))
        mistakes = {
            text: ids
            for text, ids in doubts.items()
            if text == SHARED_IDS and evaluated or len(ids) > many and (evaluated or text == AS_SHARES)
        }
    if mistakes:
        remedy = 'tools/inspect_data.py lists all of them; correct them or remove these entries'
        if wrong_keypoints(count) in mistakes:
            remedy = f'set the dataset\'s "annotated" or "skeleton" to its body model, or: {remedy}'
        raise UserError(f'annotation file {path} has {count_and_name(mistakes)}; {remedy}')
    if doubts:
        _tell_once(f'annotation file {path} has {count_and_name(doubts)}; tools/inspect_data.py lists all of them')
    if derived:
        _tell_once(
            f'annotation file {path}: people without {", ".join(derived)} got what follows from the rest '
            '(an area of 0.53 boxes: AP by size is not comparable with COCO)'
        )
    return contents


def choose_images(contents: dict, only: str | None, without: str | None) -> dict:
    """The contents of an annotation file with some of its images, and their annotations.

    Args:
        contents: what :func:`load_annotation_file` gave.
        only: a text file with one image's ``file_name`` a line; other images are left out.
        without: another one; its images are left out.

    Raises:
        UserError: when a list cannot be read.
    """
    if not (only or without):
        return contents
    wanted = _lines(only) if only else {image['file_name'] for image in contents['images']}
    wanted = wanted - (_lines(without) if without else set())
    images = [image for image in contents['images'] if image['file_name'] in wanted]
    ids = {image['id'] for image in images}
    annotations = [annotation for annotation in contents['annotations'] if annotation['image_id'] in ids]
    return contents | dict(images=images, annotations=annotations)


def _lines(path: str) -> frozenset[str]:
    try:
        with open(path, encoding='utf-8') as file:
            return frozenset(file.read().splitlines())
    except (OSError, ValueError) as error:
        raise UserError(f'list of images {path} cannot be read ({error}); give one file name a line') from error


def _take_keypoints(contents: dict, annotated: Skeleton) -> None:
    for annotation in objects(contents, 'annotations'):
        own = annotation.get('keypoints')
        keypoints = _keypoints_of(annotation, annotated) if isinstance(own, list) else own
        if keypoints is not own:
            annotation['keypoints'] = keypoints
            if numbers(keypoints, len(keypoints)) is not None:
                annotation['num_keypoints'] = sum(flag > 0 for flag in keypoints[2::3])


def _keypoints_of(annotation: dict, annotated: Skeleton) -> list[float]:
    """The annotation's numbers, three a keypoint; with the feet, or without, where ``annotated`` is part of both."""
    own, feet = annotation['keypoints'], annotation.get('foot_kpts', [])
    both = own + feet if len(own) == 3 * len(COCO17.keypoints) and isinstance(feet, list) else own
    if len(own) == 3 * len(annotated.keypoints) or len(both) != 3 * len(COCO23.keypoints):
        return own
    if not set(annotated.keypoints) <= set(COCO23.keypoints):
        return own
    parts = (COCO23.keypoints.index(name) for name in annotated.keypoints)
    return [number for part in parts for number in both[3 * part : 3 * part + 3]]


@functools.cache  # once a file, not once for its dataset and once for its metric
def _tell_once(message: str) -> None:
    print_log(message, 'current', level=logging.WARNING)


def indexed(contents: dict) -> COCO:
    """The COCO API on a file's contents."""
    from xtcocotools.coco import COCO  # brings matplotlib, which prediction does not need

    coco = COCO()
    coco.dataset = contents
    coco.createIndex()
    return coco


def complete(contents: dict) -> tuple[str, ...]:
    """Add, where they can be derived, the fields that CVAT and other tools do not export; returns their names.

    ``num_keypoints`` is the number of labelled keypoints, ``area`` 0.53 times the box's, ``iscrowd`` 0 and
    ``category_id`` that of the only category.
    """
    derived = set()
    categories = objects(contents, 'categories')
    only = categories[0].get('id') if len(categories) == 1 else None
    for annotation in objects(contents, 'annotations'):
        keypoints, box = annotation.get('keypoints'), annotation.get('bbox')
        if 'iscrowd' not in annotation:
            annotation['iscrowd'] = 0
            derived.add('iscrowd')
        if 'num_keypoints' not in annotation and numbers(keypoints, len(keypoints or ())) is not None:
            annotation['num_keypoints'] = sum(flag > 0 for flag in keypoints[2::3])
            derived.add('num_keypoints')
        if 'area' not in annotation and numbers(box, 4) is not None:
            annotation['area'] = AREA_OF_BOX * box[2] * box[3]
            derived.add('area')
        if 'category_id' not in annotation and only is not None:
            annotation['category_id'] = only
            derived.add('category_id')
    return tuple(sorted(derived))
