"""What is wrong with the images of a dataset: missing, broken, of another size, or in two splits."""

from __future__ import annotations

import filecmp
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from classicpose.errors import UserError
from classicpose.images import read_image
from classicpose.progress import tracked

from .coco import ERROR, WARNING, Findings
from .people import People


def check_images(people: People, *, open_them: bool = True) -> Findings:
    """Find images that do not exist and, if they are to be opened, those that are broken or of another size.

    Opening shows its progress on the error output.
    """
    findings = Findings()
    there = [place for place, path in enumerate(people.images) if os.path.isfile(path)]
    missing = sorted(set(range(len(people.images))) - set(there))
    findings.add(ERROR, 'images that do not exist', *(people.images[place] for place in missing))
    if not open_them:
        return findings
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        sizes = pool.map(_image_size, [people.images[place] for place in there])
        for place, size in zip(there, tracked(sizes, 'opening images', len(there), 'images'), strict=True):
            stated = people.sizes[place]
            if isinstance(size, str):
                findings.add(ERROR, 'images that do not open', size)
            elif stated is not None and tuple(stated) != size:
                name = f'{people.names[place]} ({size[0]}x{size[1]}, annotated {stated[0]}x{stated[1]})'
                findings.add(ERROR, 'images of another size than annotated', name)
    finally:
        pool.shutdown(cancel_futures=True)  # on Ctrl-C thousands would still be opened
    return findings


def _image_size(path: str) -> tuple[int, int] | str:
    """Width and height, or what keeps the image from opening."""
    try:
        height, width = read_image(path).shape[:2]
    except UserError as error:
        return str(error).removeprefix('image ').partition(';')[0]
    return width, height


def check_shared(first: People, second: People, splits: str) -> Findings:
    """Find images that two splits have, by name; two files of one name count only where they are equal.

    Args:
        splits: their names, for the message.
    """
    findings = Findings()
    places = first.taken_places
    trained, tested = _people_by_image(first), _people_by_image(second)
    for name, other in second.taken_places.items():
        place = places.get(name)
        if place is None or not _may_be_equal(first.images[place], second.images[other]):
            continue
        # Splits by person, as FLIC's, may divide an image's people.
        divided = not first.complete and not second.complete and not trained[place] & tested[other]
        note = ', with different people' if divided else ''
        findings.add(WARNING if divided else ERROR, f'images in both {splits}{note}', name)
    return findings


def _people_by_image(people: People) -> dict[int, set[bytes]]:
    found = defaultdict(set)
    for owner, keypoints in zip(people.owners.tolist(), people.keypoints, strict=True):
        found[owner].add(keypoints.tobytes())
    return found


def _may_be_equal(first: str, second: str) -> bool:
    return not (os.path.isfile(first) and os.path.isfile(second)) or filecmp.cmp(first, second, shallow=False)
