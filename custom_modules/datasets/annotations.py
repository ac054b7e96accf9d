"""COCO keypoint files as they are read.

They are checked once for all that is used later, and completed where other tools leave out what can be derived.

Symbols: N entries, K keypoints.
"""

from __future__ import annotations

import functools
import json
import logging
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from mmengine.fileio import exists
from mmengine.logging import print_log

from classicpose.errors import UserError, count_and_name
from classicpose.people import AREA_OF_BOX
from classicpose.skeletons import COCO17, COCO23, Skeleton

if TYPE_CHECKING:
    from xtcocotools.coco import COCO

FARTHEST = 1e5
"""Pixels. No image has a larger side, and pycocotools allocates memory for all that a polygon spans."""

_NUMBERS = frozenset({int, float})
_POLYGON = 6  # numbers; fewer pycocotools takes for a box, or for something else
_SMALLEST_AREA = 0.01  # of the box; COCO's smallest masks of people with keypoints are ten times as large
# So large a share of the people makes a mistake the file's, not that of a few.
_MANY = 0.1
SHARED_IDS = 'ids that several annotations have'
_SHARES = 'people whose keypoints all lie between 0 and 1, as shares of the image do: pixels are wanted'
_LONGEST_RUN_LENGTH = 7  # digits of 5 bits


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
            '(docs/training.md; the environment variable CLASSICPOSE_DATA moves the data folder)'
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
        many = _MANY * sum(map(_is_labelled, contents['annotations']))
        mistakes = {
            text: ids
            for text, ids in doubts.items()
            if text == SHARED_IDS and evaluated or len(ids) > many and (evaluated or text == _SHARES)
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


def malformed(contents: dict, keypoints: int) -> dict[str, list]:
    """What would break a reader of a COCO keypoint file, or silently falsify what it reads.

    Coordinates must be finite and at most :data:`FARTHEST`.

    Args:
        contents: the file's JSON object, in which the three lists may be anything.
        keypoints: how many the file's category has.

    Returns:
        By kind of mistake the ids of the images, annotations or categories.
    """
    mistakes: dict[str, list] = defaultdict(list)

    def note(text: str, entries: Iterable[dict]) -> None:
        names = [name_of(entry) for entry in entries]
        if names:
            mistakes[text] += names

    for key in ('images', 'annotations', 'categories'):
        if isinstance(contents.get(key), list):
            places = [place for place, entry in enumerate(contents[key]) if not isinstance(entry, dict)]
            if places:
                mistakes[f'{key} that are no objects, at the positions'] += places
        entries = objects(contents, key)
        note(f'{key} with an id that is no whole number', [e for e in entries if type(e.get('id', 0)) is not int])
        if key != 'annotations' and (shared := repeated(e['id'] for e in entries if type(e.get('id')) is int)):
            mistakes[f'ids that several {key} have'] += shared
    images, annotations = objects(contents, 'images'), objects(contents, 'annotations')
    for kind, entries, fields in (
        ('images', images, ('id', 'file_name', 'width', 'height')),
        ('annotations', annotations, ('id', 'image_id', 'category_id', 'keypoints', 'bbox', 'area')),
    ):
        for key in fields:
            note(f'{kind} without "{key}"', [entry for entry in entries if key not in entry])
    note(
        'images whose file_name is no text',
        [i for i in images if 'file_name' in i and not (isinstance(i['file_name'], str) and i['file_name'])],
    )
    note(
        'images whose width or height is no positive whole number',
        [i for i in images if not all(_is_side(i[key]) for key in ('width', 'height') if key in i)],
    )
    sizes = {image['id']: (image.get('height'), image.get('width')) for image in images if hashable_id(image)}
    known = {category['id'] for category in objects(contents, 'categories') if hashable_id(category)}
    for key, there in (('image_id', sizes), ('category_id', known)):
        note(
            f'annotations whose {key} is not among the {"images" if key == "image_id" else "categories"}',
            [a for a in annotations if key in a and (type(a[key]) is not int or a[key] not in there)],
        )
    for key, count, text in (
        ('keypoints', 3 * keypoints, wrong_keypoints(keypoints)),
        ('bbox', 4, f'annotations whose bbox is not 4 finite numbers up to {FARTHEST:,.0f}'),
    ):
        having = [a for a in annotations if key in a]
        note(text, [having[row] for row in _unusable_rows([a[key] for a in having], count)])
    note(
        # They are neither trained on nor evaluated, or only seem to be there.
        'people whose num_keypoints is 0 though keypoints are labelled, or the reverse',
        [
            a
            for a in annotations
            if type(a.get('num_keypoints')) is int and _is_labelled(a) is (a['num_keypoints'] <= 0)
        ],
    )
    note('annotations whose area is no number', [a for a in annotations if number(a.get('area', 0)) is None])
    for key, kinds in (('num_keypoints', (int,)), ('iscrowd', (int, bool))):
        note(
            f'annotations whose {key} is no whole number', [a for a in annotations if type(a.get(key, 0)) not in kinds]
        )
    outlined = [a for a in annotations if a.get('segmentation')]
    note(
        f'annotations whose segmentation is neither polygons of three points or more, of finite numbers up to '
        f"{FARTHEST:,.0f}, nor run lengths of the image's size",
        _wrongly_outlined(outlined, sizes),
    )
    return mistakes


def doubtful(contents: dict) -> dict[str, list]:
    """What can be read and nobody can have meant: it falsifies average precision, and some of it training.

    Returns:
        By kind the ids of the people, that is of annotations with labelled keypoints that are no crowds.
    """
    found: dict[str, list] = defaultdict(list)
    annotations = objects(contents, 'annotations')
    if shared := repeated(a['id'] for a in annotations if type(a.get('id')) is int):
        found[SHARED_IDS] = shared
    seen = set()
    for annotation in annotations:
        if annotation.get('iscrowd') or not _is_labelled(annotation):
            continue
        name, table = name_of(annotation), annotation['keypoints']
        box, area = numbers(annotation.get('bbox'), 4), number(annotation.get('area'))
        if box is not None and area is not None and area < _SMALLEST_AREA * box[2] * box[3]:
            text = 'people whose area is less than a hundredth of their box (left out, it is derived)'
            found[text].append(name)
        labelled = [
            value for place in range(2, len(table), 3) if table[place] > 0 for value in table[place - 2 : place]
        ]
        if min(labelled) >= 0 and 0 < max(labelled) <= 1:
            found[_SHARES].append(name)
        pose = (repr(annotation.get('image_id')), *table)
        if pose in seen:
            found['people annotated twice, with the same keypoints in the same image'].append(name)
        seen.add(pose)
    return found


def _is_labelled(annotation: dict) -> bool | None:
    """Whether a keypoint is, None where that cannot be told."""
    keypoints = annotation.get('keypoints')
    if not isinstance(keypoints, list) or not _NUMBERS.issuperset(map(type, keypoints)):
        return None
    return any(flag > 0 for flag in keypoints[2::3])


def repeated(values: Iterable) -> list:
    """Those that are there more than once."""
    return [value for value, times in Counter(values).items() if times > 1]


def wrong_keypoints(count: int) -> str:
    """What :func:`malformed` says about the keypoints of annotations."""
    return (
        f'annotations whose keypoints are not {3 * count} finite numbers (3 for each of {count}) up to {FARTHEST:,.0f}'
    )


def objects(contents: dict, key: str) -> list[dict]:
    """What of a list in the file can be an image, an annotation or a category at all."""
    entries = contents.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def name_of(entry: Mapping) -> object:
    """What to call an image, annotation or category in a message."""
    return entry.get('id', entry.get('file_name', 'without id'))


def hashable_id(entry: dict) -> bool:
    return isinstance(entry.get('id'), int | str)


def number(value: object) -> float | None:
    """A finite number, else None."""
    return value if type(value) in _NUMBERS and abs(value) < math.inf and _fits(value) else None


def numbers(value: object, count: int) -> np.ndarray | None:
    """(count,) float64 where ``value`` is a list of so many finite numbers, else None."""
    if not isinstance(value, list) or len(value) != count or not all(number(item) is not None for item in value):
        return None
    return np.array(value, dtype=np.float64)


def _fits(value: float) -> bool:
    return type(value) is float or abs(value) < 2**63


def _is_side(value: object) -> bool:
    return type(value) is int and 0 < value <= FARTHEST


def _unusable_rows(rows: Sequence[object], count: int) -> list[int]:
    """Which of N rows are not lists of ``count`` finite numbers up to :data:`FARTHEST`."""
    if all(type(row) is list and len(row) == count for row in rows) and _all_usable(rows):
        return []
    return [place for place, row in enumerate(rows) if not (_usable(row) and len(row) == count)]


def _all_usable(rows: Sequence[list]) -> bool:
    """Whether the lists hold nothing but finite numbers up to :data:`FARTHEST`."""
    values = list(chain.from_iterable(rows))
    if not _NUMBERS.issuperset(map(type, values)):
        return False
    try:
        # Not the extrema of the list: of NaN, Python's depend on the order.
        table = np.array(values, np.float64)
    except OverflowError:  # a whole number of hundreds of digits
        return False
    return bool((np.abs(table) <= FARTHEST).all())


def _usable(row: object) -> bool:
    return type(row) is list and all(type(value) in _NUMBERS and abs(value) <= FARTHEST for value in row)


def _wrongly_outlined(annotations: list[dict], sizes: dict) -> list[dict]:
    wrong, outlines, polygons = [], [], []
    for annotation in annotations:
        outline = annotation['segmentation']
        if isinstance(outline, dict):
            if not _are_run_lengths(outline, _size(annotation, sizes)):
                wrong.append(annotation)
        elif type(outline) is not list or not all(
            type(polygon) is list and len(polygon) >= _POLYGON and not len(polygon) % 2 for polygon in outline
        ):
            wrong.append(annotation)
        else:
            outlines.append(annotation)
            polygons += outline
    if not _all_usable(polygons):
        wrong += [a for a in outlines if not all(map(_usable, a['segmentation']))]
    return wrong


def _size(annotation: dict, sizes: dict) -> tuple | None:
    key = annotation.get('image_id')
    return sizes.get(key) if isinstance(key, int | str) else None


def _are_run_lengths(value: dict, size: tuple | None) -> bool:
    """Whether they are COCO's, compressed or not, of the image's (height, width)."""
    counts = value.get('counts')
    if size is None or not all(map(_is_side, size)) or value.get('size') != list(size):
        return False
    if isinstance(counts, str):
        counts = _decompressed(counts)
    elif not isinstance(counts, list) or not {int}.issuperset(map(type, counts)):
        return False
    return bool(counts) and min(counts) >= 0 and sum(counts) == size[0] * size[1]


def _decompressed(text: str) -> list[int]:
    """The run lengths that COCO's compressed text stands for, none if the text is not valid.

    pycocotools does not check that.

    Each is written in digits of 5 bits, the lowest first, with a sixth bit on all but its last; from the fourth on it
    is the difference to the last but one (rleToString in COCO's maskApi.c).
    """
    digits = np.frombuffer(text.encode('utf-8', 'replace'), np.uint8).astype(np.int64) - 48
    if not len(digits) or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        return []
    ends = np.flatnonzero(digits & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_RUN_LENGTH:
        return []
    places = np.arange(len(digits)) - np.repeat(starts, lengths)
    counts = np.add.reduceat((digits & 31) << 5 * places, starts)
    counts -= np.where(digits[ends] & 16, np.int64(1) << 5 * lengths, 0)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts.tolist()
