"""Built-in data in FLIC's format: film stills of synthetic people, cut at the hips or thighs.

They need no download, so the demonstration and the tests of DeepPose learn from them. Every image depends only on
(seed, split, index): any number of workers writes the same bytes.

Convention: keypoints are (x, y) pixels with integers at pixel centres, sides the person's own.

Symbols: H, W the image's height and width, N people.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import scipy.io

from classicpose.skeletons import FLIC10

from ..flic import COORDS_COLUMNS
from .coco import check_numbers, clear_folder, explained_errors, map_in_processes, write_jpeg
from .images import OCCLUDED_SHARE, draw_background, draw_occluder, first_label, photograph
from .people import draw_person
from .person import Person, sample_person
from .poses import JOINTS

TWO_PEOPLE_SHARE = 0.3
"""Of the images: those with a second person."""

_SPLITS = ('train', 'test')
_MARKER = 'generated_flic_by_classicpose.json'
# As in the genuine file. A struct keeps their order.
_FIELDS = (
    'poselet_hit_idx', 'moviename', 'coords', 'filepath', 'imgdims', 'currframe', 'torsobox', 'istrain', 'istest',
)  # fmt: skip
_JOINTS = [JOINTS.index(name) for name in (*FLIC10.keypoints, 'nose')]
_SHOULDERS, _WRISTS, _HIPS = (
    [JOINTS.index(f'{side}_{part}') for side in ('left', 'right')] for part in ('shoulder', 'wrist', 'hip')
)

# Of the genuine people, relative to the image: the line of the shoulders is at 0.40 of its height (0.29 to 0.51), its
# middle at 0.51 of its width (0.22 to 0.78), and the trunk is 0.27 of its height long (0.16 to 0.41). Synthetic people
# are larger, to lose their legs.
_TRUNK, _TRUNK_SPREAD, _TRUNK_RANGE = 0.38, 0.2, (0.26, 0.48)
_SHOULDERS_AT, _SHOULDERS_SPREAD, _SHOULDERS_RANGE = 0.4, 0.06, (0.28, 0.5)
_MIDDLE_RANGES = {1: ((0.22, 0.78),), 2: ((0.18, 0.36), (0.64, 0.82))}
_SMALLER_OF_TWO = 0.85

# Torso boxes are a detector's. On the genuine people they are 1.5 times as high as wide and, in the median, 0.99 times
# as high as the line from the middle of the shoulders to that of the hips is long. Relative to that height, the middle
# of the upper edge is 0.01 right of the middle of the shoulders and 0.016 below it. The spreads, after each, are half
# of what 68 % of the people span: the shoulders are met much better than the hips.
_BOX_RATIO = 1.5
_BOX_HEIGHT = (0.99, 0.2)
_BOX_TOP = ((0.01, 0.04), (0.016, 0.08))
_MOST_SPREADS = 2

_UPRIGHT = 0.3  # the largest sideways lean of a trunk, over its height
_RAISED_SHARE = 0.1  # of the people: those who may raise a hand above their shoulders, which few do in films
_ATTEMPTS = 12

Row = dict[str, object]
"""A person of the annotation file: its value for every field."""


def draw_still(rng: np.random.Generator, size: tuple[int, int] = (360, 240)) -> tuple[np.ndarray, list[Person]]:
    """One image and the one or two people in it.

    Args:
        size: width and height in pixels.

    Returns:
        The (H, W, 3) uint8 BGR image and the people, the nearest first.
    """
    people = place_people(rng, _sample_count(rng), size)
    image = draw_background(rng, size)
    labels = np.zeros(image.shape[:2], np.uint8)
    for index, person in enumerate(reversed(people)):
        draw_person(image, labels, person, first_label(index))
        if rng.random() < OCCLUDED_SHARE:
            draw_occluder(rng, image, labels, person)
    return photograph(rng, image), people


def place_people(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[Person]:
    """One or two upright people, side by side, the nearest first."""
    larger = 1.0 if count == 1 else _SMALLER_OF_TWO
    people = [_place_person(rng, middle, size, larger) for middle in _MIDDLE_RANGES[count]]
    return sorted(people, key=lambda person: -person.scale)


def sample_torso_box(rng: np.random.Generator, person: Person) -> np.ndarray:
    """(4,) x1, y1, x2, y2 that a detector of torsos might give for a placed person."""
    shoulders, hips = _trunk_ends(person)
    spreads = np.clip(rng.normal(size=3), -_MOST_SPREADS, _MOST_SPREADS)
    height = _BOX_HEIGHT[0] * np.linalg.norm(hips - shoulders) * np.exp(_BOX_HEIGHT[1] * spreads[0])
    x, y = shoulders + height * (np.array(_BOX_TOP)[:, 0] + np.array(_BOX_TOP)[:, 1] * spreads[1:])
    return np.array([x - height / _BOX_RATIO / 2, y, x + height / _BOX_RATIO / 2, y + height])


def generate_flic(
    root: str | Path,
    num_train: int,
    num_test: int,
    size: tuple[int, int] = (360, 240),
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a dataset in FLIC's layout, in place of one that this function wrote before.

    The files are ``examples.mat`` and the images ``images/*.jpg``. The annotations come last: without them, a
    run was interrupted.

    Args:
        num_train: people for training; of the last image's two people the smaller may stay without annotation.
        num_test: people for testing.
        size: width and height in pixels.
        workers: processes; by default as many as there are cores.
        progress: called after every image with the number done and the total.

    Returns:
        How many images were written.

    Raises:
        UserError: when a number is out of range, or ``root`` cannot be written or holds something that was
            not generated.
    """
    counts = {'train': num_train, 'test': num_test}
    check_numbers(counts, size, seed, things='people')
    root = Path(root)
    jobs = [job for split in _SPLITS for job in _jobs(seed, split, counts[split])]
    write = partial(_write_image, root, size, seed)
    rows: list[Row] = []
    with explained_errors(root):
        clear_folder(root, _MARKER, files=[root / 'examples.mat'], image_folders=[root / 'images'])
        (root / _MARKER).write_text(json.dumps({**counts, 'size': list(size), 'seed': seed}))
        (root / 'images').mkdir(exist_ok=True)
        with closing(map_in_processes(write, jobs, workers or os.cpu_count() or 1)) as results:
            for done, found in enumerate(results, start=1):
                rows += found
                if progress:
                    progress(done, len(jobs))
        _write_annotations(root, rows)
    return len(jobs)


def _jobs(seed: int, split: str, people: int) -> list[tuple[str, int, int]]:
    """The images of a split: its name, the image's number, and how many people of it are annotated."""
    jobs = []
    while people:
        annotated = min(people, _sample_count(_generator(seed, split, len(jobs))))
        jobs.append((split, len(jobs), annotated))
        people -= annotated
    return jobs


def _generator(seed: int, split: str, index: int) -> np.random.Generator:
    return np.random.default_rng((seed, _SPLITS.index(split), index))


def _sample_count(rng: np.random.Generator) -> int:
    """An image's number of people, which must be the first thing sampled: `_jobs` looks ahead."""
    return 1 + int(rng.random() < TWO_PEOPLE_SHARE)


def _place_person(
    rng: np.random.Generator, middle: tuple[float, float], size: tuple[int, int], larger: float
) -> Person:
    """An upright person whose joints are in the image, mostly. ``middle`` is a range of the image's width."""
    corner = np.array(size) - 1
    may_raise = rng.random() < _RAISED_SHARE
    for _ in range(_ATTEMPTS):
        person = sample_person(rng)
        shoulders, hips = _trunk_ends(person)
        trunk = hips - shoulders
        length = np.clip(_TRUNK * np.exp(rng.normal(0, _TRUNK_SPREAD)), *_TRUNK_RANGE) * larger
        y = np.clip(rng.normal(_SHOULDERS_AT, _SHOULDERS_SPREAD), *_SHOULDERS_RANGE)
        # An image that is not broad has to hold a person's width all the same.
        scale = length * min(size[1], size[0] / 1.5) / np.linalg.norm(trunk)
        person = person.placed(scale, np.array([rng.uniform(*middle), y]) * size - scale * shoulders)
        joints = person.joints[_JOINTS, :2]
        upright = abs(trunk[0]) < _UPRIGHT * trunk[1]
        raised = person.joints[_WRISTS, 1].min() < person.joints[_SHOULDERS, 1].mean()
        if upright and (may_raise or not raised) and (joints >= 0).all() and (joints <= corner).all():
            break
    return person


def _trunk_ends(person: Person) -> tuple[np.ndarray, np.ndarray]:
    """(2,) middle of the shoulders and (2,) of the hips."""
    return tuple(person.joints[parts, :2].mean(axis=0) for parts in (_SHOULDERS, _HIPS))


def _write_image(root: Path, size: tuple[int, int], seed: int, job: tuple[str, int, int]) -> list[Row]:
    split, index, annotated = job
    rng = _generator(seed, split, index)
    image, people = draw_still(rng, size)
    movie, frame = f'drawn-{split}', index + 1
    name = f'{movie}-{frame:08d}.jpg'
    write_jpeg(root / 'images' / name, image)
    still = {
        'poselet_hit_idx': np.zeros((0, 1), np.uint16),
        'moviename': movie,
        'filepath': name,
        'imgdims': np.array([[*image.shape]], np.uint16),
        'currframe': np.array([[frame]], np.uint32),
        'istrain': np.array([[split == 'train']], np.uint8),
        'istest': np.array([[split == 'test']], np.uint8),
    }
    return [still | _annotation(rng, person) for person in people[:annotated]]


def _annotation(rng: np.random.Generator, person: Person) -> Row:
    coords = np.full((2, 29), np.nan)
    coords[:, COORDS_COLUMNS] = person.joints[_JOINTS, :2].T.round(2)
    return {'coords': coords, 'torsobox': sample_torso_box(rng, person).astype(np.float32)[None]}


def _write_annotations(root: Path, rows: list[Row]) -> None:
    """Write the file, then give it its name."""
    table = np.empty((1, len(rows)), dtype=[(field, object) for field in _FIELDS])
    for index, row in enumerate(rows):
        table[0, index] = tuple(row[field] for field in _FIELDS)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {'examples': table}, do_compression=True)
    # The format begins with 116 bytes of text, into which scipy writes the date.
    contents = b'MATLAB 5.0 MAT-file, people drawn by ClassicPose'.ljust(116) + buffer.getvalue()[116:]
    unfinished = root / 'examples.partial'
    unfinished.write_bytes(contents)
    os.replace(unfinished, root / 'examples.mat')
