"""What users' own COCO keypoint files get wrong, all of it and not only the first thing that stops a loader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from classicpose.skeletons import COCO17

from ..mistakes import doubtful, malformed, name_of, number, numbers, objects, repeated

ERROR, WARNING = 'error', 'warning'
_EXAMPLES = 5
_LISTS = ('images', 'annotations', 'categories')

# A box may end this many pixels beyond the image: annotation tools round outwards.
_BOX_TOLERANCE = 1.0
# Areas that somebody computed from the box, as shares of it. A few masks have such an area by chance.
_AREA_SHARES = (0.53, 1.0)
_AREA_TOLERANCE = 1e-4
_AREA_CHANCE = 0.01


class Finding(NamedTuple):
    """One kind of mistake.

    Attributes:
        grade: ``ERROR``, what breaks or silently falsifies training or evaluation, or ``WARNING``.
        text: what is wrong with the things in question.
        items: their ids or names.
    """

    grade: str
    text: str
    items: Sequence[object]

    def __str__(self) -> str:
        more = ', ...' if len(self.items) > _EXAMPLES else ''
        return (
            f'{self.grade:<7} {len(self.items):>7,}  {self.text}: {", ".join(map(str, self.items[:_EXAMPLES]))}{more}'
        )


class Findings:
    """Mistakes gathered one by one; iterating gives a :class:`Finding` for every kind, errors first."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], list] = {}

    def add(self, grade: str, text: str, *items: object) -> None:
        """Add a finding, unless nothing is affected."""
        if items:
            self._items.setdefault((grade, text), []).extend(items)

    def __iter__(self) -> Iterator[Finding]:
        by_grade = sorted(self._items.items(), key=lambda kind: kind[0][0] != ERROR)
        return (Finding(grade, text, items) for (grade, text), items in by_grade)

    def update(self, other: Findings) -> None:
        """Take over another check's mistakes."""
        for grade, text, items in other:
            self.add(grade, text, *items)


def check_coco(contents: dict, keypoints: Sequence[str], *, evaluated: bool, masked: bool) -> Findings:
    """Check the contents of a COCO keypoint file.

    Args:
        contents: the file's JSON object, however malformed below that.
        keypoints: the names that the config's body model has for the file's keypoints.
        evaluated: whether results are scored on the file by MMPose's classes, which need more than training does.
        masked: whether it is trained on by full images, in which people without keypoints have to be masked out.
    """
    findings = Findings()
    findings.add(
        ERROR, 'lists that the file lacks', *(key for key in _LISTS if not isinstance(contents.get(key), list))
    )
    lists = {key: objects(contents, key) for key in _LISTS}
    images = _check_images(lists['images'], findings)
    categories = _check_categories(lists, keypoints, findings)
    named = (category_keypoints(category) for category in _used(categories, lists['annotations']))
    count = len(next(filter(None, named), keypoints))
    for text, items in (malformed(contents, count) | doubtful(contents)).items():
        findings.add(ERROR, text, *items)
    for annotation in lists['annotations']:
        # MMPose reads them in training only where they are there, COCO's evaluation ends with a KeyError.
        for key in ('num_keypoints', 'iscrowd'):
            if key not in annotation:
                findings.add(ERROR if evaluated else WARNING, f'annotations without "{key}"', name_of(annotation))
        labelled = _check_keypoints(annotation, count, images, findings)
        _check_box(annotation, images, findings)
        unknown = annotation.get('iscrowd') or labelled == 0
        if masked and unknown and not annotation.get('segmentation'):
            text = 'crowds or people without keypoints that no "segmentation" masks: background to a bottom-up network'
            findings.add(WARNING, text, name_of(annotation))
    _check_area_origin(lists['annotations'], findings)
    return findings


def category_keypoints(category: dict) -> list[str]:
    """The names of a category's keypoints, empty where it has no such list."""
    names = category.get('keypoints')
    return [str(name) for name in names] if isinstance(names, list) else []


def _hashable(value: object) -> int | str | None:
    return value if isinstance(value, int | str) else None


def _check_images(images: list[dict], findings: Findings) -> dict:
    """The images by id."""
    names = [image['file_name'] for image in images if isinstance(image.get('file_name'), str)]
    findings.add(WARNING, 'file names that several images have', *repeated(names))
    return {image['id']: image for image in images if _hashable(image.get('id')) is not None}


def _check_categories(lists: dict[str, list[dict]], keypoints: Sequence[str], findings: Findings) -> dict:
    """The categories by id."""
    categories = {c['id']: c for c in lists['categories'] if _hashable(c.get('id')) is not None}
    whole_body = any('foot_kpts' in annotation for annotation in lists['annotations'])
    for category in _used(categories, lists['annotations']):
        names, name = category_keypoints(category), category.get('name', category['id'])
        if whole_body and names == list(COCO17.keypoints):
            continue  # COCO-WholeBody's files have feet, hands and faces beside what the category names
        if not names:
            findings.add(WARNING, 'categories that do not name their keypoints', name)
        elif len(names) != len(keypoints):
            findings.add(
                ERROR,
                f"categories with another number of keypoints than the config's {len(keypoints)}",
                f'{name} ({len(names)})',
            )
        elif sorted(names) == sorted(keypoints) and names != list(keypoints):
            findings.add(ERROR, "categories with the config's keypoints in another order", name)
        elif names != list(keypoints):
            differing = [f'{a}/{b}' for a, b in zip(names, keypoints, strict=True) if a != b]
            findings.add(
                WARNING, "keypoints that the category and the config's body model name differently", *differing
            )
    return categories


def _used(categories: dict, annotations: list[dict]) -> list[dict]:
    used = {_hashable(annotation.get('category_id')) for annotation in annotations}
    return [category for key, category in categories.items() if key in used]


def _check_keypoints(annotation: dict, count: int, images: dict, findings: Findings) -> int | None:
    """How many keypoints are labelled, None where that cannot be told."""
    name, table = name_of(annotation), numbers(annotation.get('keypoints'), 3 * count)
    if table is None:
        return None
    x, y, flags = table.reshape(-1, 3).T
    if not {0, 1, 2}.issuperset(flags.tolist()):
        findings.add(ERROR, 'annotations with visibilities other than 0, 1 and 2', name)
    there = flags > 0
    if (there & (x == 0) & (y == 0)).any():
        findings.add(ERROR, 'people with keypoints at (0, 0) that are marked as labelled', name)
    width, height = _size(annotation, images)
    if (there & ((x < 0) | (y < 0) | (x > width) | (y > height))).any():
        findings.add(WARNING, 'people with labelled keypoints outside the image', name)
    labelled = int(there.sum())
    stated = annotation.get('num_keypoints', labelled)
    if stated != labelled and 0 not in (stated, labelled):
        findings.add(WARNING, 'people whose num_keypoints is not the number of labelled keypoints', name)
    return labelled


def _check_box(annotation: dict, images: dict, findings: Findings) -> None:
    name, box = name_of(annotation), numbers(annotation.get('bbox'), 4)
    if box is None:
        return
    left, top, width, height = box
    right, bottom = left + width, top + height
    image_width, image_height = _size(annotation, images)
    if width <= 0 or height <= 0:
        findings.add(ERROR, 'boxes without width or height', name)
    elif right <= 0 or bottom <= 0 or left >= image_width or top >= image_height:
        findings.add(ERROR, 'boxes wholly outside the image', name)
    elif max(-left, -top, right - image_width, bottom - image_height) > _BOX_TOLERANCE:
        findings.add(WARNING, 'boxes partly outside the image', name)


def _size(annotation: dict, images: dict) -> tuple[float, float]:
    """Width and height of an annotation's image, infinite where unknown."""
    image = images.get(_hashable(annotation.get('image_id')), {})
    width, height = number(image.get('width')), number(image.get('height'))
    return (np.inf if width is None else width), (np.inf if height is None else height)


def _check_area_origin(annotations: list[dict], findings: Findings) -> None:
    people = [annotation for annotation in annotations if not annotation.get('iscrowd')]
    for share in _AREA_SHARES:
        derived = [name_of(person) for person in people if _is_area_of_box(person, share)]
        if len(derived) > _AREA_CHANCE * len(people):
            text = f"people whose area is {share:g} of the box, not a mask's: AP is not comparable with COCO's"
            findings.add(WARNING, text, *derived)


def _is_area_of_box(person: dict, share: float) -> bool:
    box, area = numbers(person.get('bbox'), 4), number(person.get('area'))
    return bool(box is not None and area and abs(area - share * box[2] * box[3]) < _AREA_TOLERANCE * area)
