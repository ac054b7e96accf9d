"""What makes COCO keypoint files unreadable or misleading, and the values in them that can be what they should be.

Symbols: N entries, K keypoints.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

FARTHEST = 1e5
"""Pixels. No image has a larger side, and pycocotools allocates memory for all that a polygon spans."""

_NUMBERS = frozenset({int, float})
_POLYGON = 6  # numbers; fewer pycocotools takes for a box, or for something else
_SMALLEST_AREA = 0.01  # of the box; COCO's smallest masks of people with keypoints are ten times as large
SHARED_IDS = 'ids that several annotations have'
AS_SHARES = 'people whose keypoints all lie between 0 and 1, as shares of the image do: pixels are wanted'
_LONGEST_RUN_LENGTH = 7  # digits of 5 bits


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
        [a for a in annotations if type(a.get('num_keypoints')) is int and is_labelled(a) is (a['num_keypoints'] <= 0)],
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
        if annotation.get('iscrowd') or not is_labelled(annotation):
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
            found[AS_SHARES].append(name)
        pose = (repr(annotation.get('image_id')), *table)
        if pose in seen:
            found['people annotated twice, with the same keypoints in the same image'].append(name)
        seen.add(pose)
    return found


def is_labelled(annotation: dict) -> bool | None:
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
