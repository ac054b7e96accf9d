"""Built-in data: images of synthetic people, annotated and laid out as COCO's person keypoints.

They need no download, so the demonstration and the tests learn from them. COCO-WholeBody's files lie
beside COCO's, with feet, hands and faces. Every image depends
only on (seed, split, index): any number of workers writes the same bytes.

Convention: keypoints are (x, y) pixels with integers at pixel centres. Boxes and polygons measure,
as COCO's do, from the first pixel's outer edge: a pixel at the origin has the box (0, 0, 1, 1).

Symbols: H, W the image's height and width.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from classicpose.errors import UserError
from classicpose.skeletons import COCO17

from .details import whole_body
from .images import compose_image, first_label
from .people import read_keypoints

UNANNOTATED_SHARE = 0.12
"""Of the people: those with a mask but no keypoints."""

_SPLITS = ('train', 'val')
# Like COCO's, the ids of the two splits' images differ.
_FIRST_ID = {'train': 1, 'val': 1_000_001}
_MARKER = 'generated_by_classicpose.json'
_SMALLEST = 32
_JPEG_QUALITY = 92
_COCO_KEYS = (
    'id', 'image_id', 'category_id', 'iscrowd', 'bbox', 'area', 'segmentation', 'keypoints', 'num_keypoints',
)  # fmt: skip

Entry = tuple[dict, list[dict]]
"""An image's dict of the annotation file, and the dicts of its annotations."""

_Job, _Result = TypeVar('_Job'), TypeVar('_Result')


def draw_image(rng: np.random.Generator, size: tuple[int, int] = (256, 256)) -> tuple[np.ndarray, list[dict]]:
    """One image and its annotations, COCO-WholeBody's entries included.

    Args:
        size: width and height in pixels.

    Returns:
        The (H, W, 3) uint8 BGR image, and COCO annotations that lack ``id`` and ``image_id``, of
        everybody who can be seen.
    """
    image = compose_image(rng, size)
    annotations = []
    for index, person in enumerate(image.people):
        keypoints = read_keypoints(person, image.labels, first_label(index))
        # Nobody would annotate a person of whom so little is seen.
        if rng.random() < UNANNOTATED_SHARE or (keypoints[:, 2] == 2).sum() < 3:
            keypoints[:] = 0
        mask = image.mask(index)
        annotation = _annotation(mask, keypoints, mask_to_polygons(mask), is_crowd=False)
        annotations.append(annotation | whole_body(person, keypoints, mask.shape))
    if image.has_crowd:
        mask = image.mask(len(image.people))
        nothing = np.zeros((len(COCO17.keypoints), 3))
        crowd = _annotation(mask, nothing, mask_to_rle(mask), is_crowd=True)
        annotations.append(crowd | whole_body(image.people[0], nothing, mask.shape))
    seen = [found for found in annotations if found['area'] and found['segmentation']]
    return image.image, seen


def mask_to_polygons(mask: np.ndarray) -> list[list[float]]:
    """COCO polygons [x0, y0, x1, y1, ...] along the outer edges of a mask's pixels.

    Polygons have no holes in COCO, so a hole is joined to its outline by a bridge of no width.

    Args:
        mask: (H, W) bool.
    """
    # OpenCV's contours run through pixel centres and would lose half a pixel on each side, much of
    # a thin arm. On a grid twice as fine, where the even points are the pixels' edges, they do not.
    fine = cv2.resize(mask.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    fine = np.pad(fine, ((0, 1), (0, 1)))
    fine[1:] |= fine[:-1]
    fine[:, 1:] |= fine[:, :-1]
    contours, hierarchy = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    contours = [cv2.approxPolyDP(contour, 0.8, closed=True)[:, 0] for contour in contours]
    polygons = []
    for index, outline in enumerate(contours):
        _, _, hole, parent = hierarchy[0, index]
        if parent >= 0 or len(outline) < 3:
            continue
        path = [outline]
        while hole >= 0:
            path += [outline[:1], contours[hole], contours[hole][:1]]
            hole = hierarchy[0, hole, 0]
        polygons.append((np.concatenate(path) / 2).ravel().tolist())
    return polygons


def mask_to_rle(mask: np.ndarray) -> dict:
    """COCO's uncompressed run lengths: down the columns, zeros first.

    Args:
        mask: (H, W) bool.
    """
    pixels = np.concatenate([[False], mask.ravel(order='F')])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    counts = np.diff([0, *changes, mask.size])
    return {'size': list(mask.shape), 'counts': counts.tolist()}


def generate_coco(
    root: str | Path,
    num_train: int,
    num_val: int,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a dataset in COCO's layout, in place of one that this function wrote before.

    The files are ``annotations/person_keypoints_{train,val}2017.json``, the same with feet, hands and faces as
    ``annotations/coco_wholebody_{train,val}_v1.0.json``, and the images ``{train,val}2017/*.jpg``. The annotations come
    last: without them, a run was interrupted.

    Args:
        size: width and height in pixels.
        workers: processes; by default as many as there are cores.
        progress: called after every image with the number done and the total.

    Raises:
        UserError: when a number is out of range, or ``root`` cannot be written or holds something
            that was not generated.
    """
    counts = {'train': num_train, 'val': num_val}
    check_numbers(counts, size, seed)
    root = Path(root)
    jobs = [(split, index) for split in _SPLITS for index in range(counts[split])]
    entries: dict[str, list[Entry]] = {split: [] for split in _SPLITS}
    write = partial(_write_image, root, size, seed)
    with explained_errors(root):
        clear_folder(
            root,
            _MARKER,
            files=[path for split in _SPLITS for path in _annotation_files(root, split)],
            image_folders=[root / f'{split}2017' for split in _SPLITS],
        )
        (root / _MARKER).write_text(json.dumps({**counts, 'size': list(size), 'seed': seed}))
        for folder in (*(f'{split}2017' for split in _SPLITS), 'annotations'):
            (root / folder).mkdir(exist_ok=True)
        with closing(map_in_processes(write, jobs, workers or os.cpu_count() or 1)) as results:
            for done, ((split, _), entry) in enumerate(zip(jobs, results, strict=True), start=1):
                entries[split].append(entry)
                if progress:
                    progress(done, len(jobs))
        _write_annotations(root, entries)


def _write_image(root: Path, size: tuple[int, int], seed: int, job: tuple[str, int]) -> Entry:
    split, index = job
    image, annotations = draw_image(np.random.default_rng((seed, _SPLITS.index(split), index)), size)
    image_id = _FIRST_ID[split] + index
    name = f'{image_id:012d}.jpg'
    write_jpeg(root / f'{split}2017' / name, image)
    entry = {'id': image_id, 'file_name': name, 'width': size[0], 'height': size[1], 'license': 1}
    entry |= {'coco_url': '', 'flickr_url': '', 'date_captured': ''}
    return entry, [annotation | {'image_id': image_id} for annotation in annotations]


def _write_annotations(root: Path, entries: dict[str, list[Entry]]) -> None:
    """Write all files, then give all their names."""
    partials = {}
    for split in entries:
        table = _annotation_table(entries[split])
        plain, whole = _annotation_files(root, split)
        body = [{key: value for key, value in a.items() if key in _COCO_KEYS} for a in table['annotations']]
        for path, contents in ((whole, table), (plain, table | {'annotations': body})):
            partials[path] = path.with_suffix('.partial')
            partials[path].write_text(json.dumps(contents))
    for path, partial_ in partials.items():
        os.replace(partial_, path)


def _annotation_table(entries: list[Entry]) -> dict:
    """What an annotation file holds. Annotations are numbered within it."""
    annotations = [annotation for _, found in entries for annotation in found]
    category = {
        'id': 1,
        'name': 'person',
        'supercategory': 'person',
        'keypoints': list(COCO17.keypoints),
        # COCO counts from one here.
        'skeleton': [[start + 1, end + 1] for start, end in COCO17.limbs],
    }
    return {
        'info': {'description': 'People drawn by ClassicPose', 'version': '1.0', 'url': ''},
        'licenses': [{'id': 1, 'name': 'Generated images, free to use', 'url': ''}],
        'images': [image for image, _ in entries],
        'annotations': [{**found, 'id': number} for number, found in enumerate(annotations, start=1)],
        'categories': [category],
    }


def _annotation(mask: np.ndarray, keypoints: np.ndarray, segmentation: list | dict, is_crowd: bool) -> dict:
    """COCO's annotation of a mask (H, W) bool with keypoints (17, 3)."""
    triples = [(round(x, 1), round(y, 1), int(v)) for x, y, v in keypoints.tolist()]
    return {
        'category_id': 1,
        'iscrowd': int(is_crowd),
        'bbox': [float(value) for value in cv2.boundingRect(mask.astype(np.uint8))],
        'area': float(mask.sum()),
        'segmentation': segmentation,
        'keypoints': [value for triple in triples for value in triple],
        'num_keypoints': int((keypoints[:, 2] > 0).sum()),
    }


def _annotation_files(root: Path, split: str) -> tuple[Path, Path]:
    """COCO's and COCO-WholeBody's."""
    names = f'person_keypoints_{split}2017.json', f'coco_wholebody_{split}_v1.0.json'
    return tuple(root / 'annotations' / name for name in names)


# For every format of generated data


@contextmanager
def explained_errors(root: Path) -> Iterator[None]:
    """Explain what goes wrong when files below ``root`` are written."""
    try:
        yield
    except OSError as error:
        raise UserError(f'cannot write to {root} ({error.strerror or error}): give another folder') from error


def check_numbers(counts: dict[str, int], size: tuple[int, int], seed: int, things: str = 'images') -> None:
    """Explain numbers that are out of range, of ``things`` a split, pixels, or the seed."""
    most = _FIRST_ID['val'] - _FIRST_ID['train']
    for split, count in counts.items():
        if not 0 <= count <= most:
            raise UserError(f'{count} {split} {things}: give a number from 0 to {most}')
    if min(size) < _SMALLEST:
        raise UserError(f'a size of {size[0]}x{size[1]}: give at least {_SMALLEST} pixels each way')
    if seed < 0:
        raise UserError(f'a seed of {seed}: give 0 or more')


def clear_folder(root: Path, marker: str, files: Iterable[Path], image_folders: Iterable[Path]) -> None:
    """Make an empty folder. Only what the format's marker says was generated is ever deleted."""
    if root.exists() and not (root / marker).exists() and any(root.iterdir()):
        raise UserError(f'{root} holds files that were not generated in this format: give a new or an empty folder')
    for file in files:
        file.unlink(missing_ok=True)
    for folder in image_folders:
        for image in folder.glob('*.jpg'):
            image.unlink()
    root.mkdir(parents=True, exist_ok=True)


def map_in_processes(write: Callable[[_Job], _Result], jobs: list[_Job], workers: int) -> Iterator[_Result]:
    """``write`` for every job, in order. Closed early, it drops the jobs not yet begun."""
    if workers == 1 or len(jobs) < 32:
        yield from map(write, jobs)
        return
    with ProcessPoolExecutor(workers, initializer=_start_worker) as pool:
        yield from pool.map(write, jobs, chunksize=16)


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an image (H, W, 3) BGR."""
    # Not cv2.imwrite, which says nothing when the disk is full.
    encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    path.write_bytes(encoded.tobytes())


def _start_worker() -> None:
    # OpenCV's own threads would fight over the cores, and a forked process must not use them.
    cv2.setNumThreads(0)
    # The pool's processes would wait for work forever once their parent was killed.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
