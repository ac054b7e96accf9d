"""Who is in the images of a dataset, and where.

Convention: pixels of the images, (x, y). Symbols: N people, K keypoints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset

from classicpose.skeletons import Skeleton, skeleton_of

from ..mistakes import number, numbers, objects
from .coco import category_keypoints


class People(NamedTuple):
    """The images and annotated people of a dataset.

    Attributes:
        keypoint_names: K.
        images: their paths.
        names: of the images: their paths within the folder of images.
        sizes: of the images: width and height as annotated, None where they are not.
        owners: (N,) int, each person's image.
        keypoints: (N, K, 3) float64: x, y and COCO's 0 not labelled, 1 hidden, 2 visible.
        boxes: (N, 4) float64 x, y, width, height.
        areas: (N,) float64 square pixels, those of the boxes where nothing else is annotated.
        crowds: (N,) bool: several people under one annotation.
        left_out: how many annotations are too malformed to stand here.
        hidden_told: whether hidden keypoints are told from visible ones.
        taken: the paths of the images that the dataset takes, None for all.
        complete: whether images come with all their people, not with the dataset's share of them.
    """

    keypoint_names: tuple[str, ...]
    images: list[str]
    names: list[str]
    sizes: list[tuple[int, int] | None]
    owners: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowds: np.ndarray
    left_out: int = 0
    taken: frozenset[str] | None = None
    hidden_told: bool = True
    complete: bool = True

    @property
    def labelled(self) -> np.ndarray:
        """(N, K) bool."""
        return self.keypoints[..., 2] > 0

    @property
    def taken_places(self) -> dict[str, int]:
        """The images that the dataset takes: their places by name."""
        named = zip(self.names, self.images, strict=True)
        return {name: place for place, (name, path) in enumerate(named) if self.taken is None or path in self.taken}


def annotated_skeleton(dataset: BaseDataset) -> Skeleton:
    """The body model of a dataset's annotations."""
    return dataset.annotated if hasattr(dataset, 'annotated') else skeleton_of(dataset.metainfo)


def people_of_coco(contents: dict, keypoints: Sequence[str], folder: str) -> People:
    """Whatever of a COCO keypoint file is well-formed.

    Args:
        contents: the file's JSON object.
        keypoints: the names of its keypoints, where its category does not name them.
        folder: of the images.
    """
    images, annotations, categories = (objects(contents, key) for key in ('images', 'annotations', 'categories'))
    used = {repr(annotation.get('category_id')) for annotation in annotations}
    named = (category_keypoints(category) for category in categories if repr(category.get('id')) in used)
    names = tuple(next(filter(None, named), keypoints))
    images = [image for image in images if isinstance(image.get('file_name'), str) and 'id' in image]
    places = {repr(image['id']): place for place, image in enumerate(images)}
    rows = []
    for annotation in annotations:
        owner = places.get(repr(annotation.get('image_id')))
        table, box = numbers(annotation.get('keypoints'), 3 * len(names)), numbers(annotation.get('bbox'), 4)
        if owner is not None and table is not None and box is not None:
            area = number(annotation.get('area'))
            area = box[2] * box[3] if area is None else area
            rows.append((owner, table.reshape(-1, 3), box, area, bool(annotation.get('iscrowd'))))
    sizes = [(image.get('width'), image.get('height')) for image in images]
    return People(
        names,
        [os.path.join(folder, image['file_name']) for image in images],
        [image['file_name'] for image in images],
        [None if None in size else size for size in sizes],
        *_columns(rows, len(names)),
        left_out=len(annotations) - len(rows),
    )


def people_of_dataset(dataset: BaseDataset) -> People:
    """The people in the samples of a loaded dataset of any format, which tells neither crowds nor hidden keypoints."""
    names = annotated_skeleton(dataset).keypoints
    places: dict[str, int] = {}
    rows = []
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        owner = places.setdefault(sample['img_path'], len(places))
        flags = 2 * (np.asarray(sample['keypoints_visible']) > 0)
        corners = np.asarray(sample['bbox'], dtype=np.float64)
        boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        for table, box in zip(np.dstack([sample['keypoints'], flags]), boxes, strict=True):
            rows.append((owner, table, box, box[2] * box[3], False))
    images = list(places)
    relative = [os.path.relpath(path, dataset.data_prefix['img']) for path in images]
    columns = _columns(rows, len(names))
    return People(names, images, relative, [None] * len(images), *columns, hidden_told=False, complete=False)


def _columns(rows: list[tuple], count: int) -> Iterator[np.ndarray]:
    columns = zip(*rows, strict=True) if rows else [()] * 5
    shapes = ((-1,), (-1, count, 3), (-1, 4), (-1,), (-1,))
    types = (np.int64, np.float64, np.float64, np.float64, np.bool_)
    for column, shape, kind in zip(columns, shapes, types, strict=True):
        yield np.array(column, dtype=kind).reshape(shape)


def labelled_per_image(people: People) -> np.ndarray:
    """How many keypoints are labelled in each image."""
    return np.bincount(people.owners, people.labelled.sum(axis=1), len(people.images)).astype(int)


def richest_images(people: People, count: int) -> np.ndarray:
    """The images with the most labelled keypoints, most first; of equal ones that which stands first in the file."""
    labelled = labelled_per_image(people)
    order = np.argsort(-labelled, kind='stable')[:count]
    return order[labelled[order] > 0]
