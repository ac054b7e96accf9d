"""FLIC: upper bodies in film stills, one sample a person.

Convention: coordinates are the annotation file's own numbers, unshifted. Nothing tells whether they count pixels from 0
or, as MATLAB does, from 1: they are fractions, and no joint lies near enough to a border to decide (x runs from -7.1 to
726.6 in images 720 pixels wide). The published PDJ values compare the raw numbers too.

Symbols: N people, J = 11 labelled joints (FLIC10's ten, then the nose), K = 10 keypoints of FLIC10.
"""

from __future__ import annotations

import functools
import logging
import os
from collections import defaultdict
from typing import NamedTuple

import numpy as np
from mmengine.fileio import exists
from mmengine.logging import print_log
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10, observer_centric

SPLITS = ('train', 'val', 'trainval', 'test')
CONVENTIONS = ('observer', 'person')

COORDS_COLUMNS = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)
"""The labelled ones of the 29 columns of ``coords``: FLIC10's keypoints in their order, then the nose."""

# Of each film's training images.
_VALIDATION_SHARE = 0.1


class FlicPeople(NamedTuple):
    """All people of an annotation file, in its order, as they stand there.

    Attributes:
        file_names: (N,) str, of the images; people of one image share theirs.
        coords: (N, J, 2) float64 pixels; NaN where a joint is not labelled, which FLIC's never are.
        torso_boxes: (N, 4) float64 x1, y1, x2, y2, one and a half times as high as wide.
        istrain: (N,) bool.
        istest: (N,) bool.
    """

    file_names: np.ndarray
    coords: np.ndarray
    torso_boxes: np.ndarray
    istrain: np.ndarray
    istest: np.ndarray


@DATASETS.register_module()
class FlicDataset(BaseCocoStyleDataset):
    """One sample for every annotated person of FLIC, with its ten keypoints of ``FLIC10``.

    A sample holds, besides MMPose's metainfo (``flip_indices``, ...):

    - ``img_path``; ``img_id``, the image's number, the same for people of one image; ``id``, the person's row;
    - ``keypoints`` (1, K, 2) float32 in the image's pixels, and ``keypoints_visible`` (1, K) float32: 1 if
      labelled, also when hidden or outside the image;
    - ``bbox`` (1, 4) float32, the ``person_box``, ``bbox_score`` (1,), and ``torso_box`` (1, 4) float32 as
      annotated, which no transform moves.

    Args:
        ann_file: the annotation file, in ``data_root``.
        data_prefix: ``img`` is the folder of the images, in ``data_root``.
        split: 'trainval' is all training people, 'val' those of the first tenth of each film, 'train' the others,
            'test' the test people (see ``split_rows``).
        convention: 'observer' exchanges the sides of people who turn their back (see ``observer_centric``), as the
            literature does. 'person' keeps the annotated sides.
        box_size: the side of the person's box, in torso heights.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``data_root``, ``pipeline``, ``test_mode``, ``indices``, ...

    Raises:
        UserError: when the annotation file is missing or malformed, the split or the convention is unknown, or the
            split has nobody.
    """

    METAINFO = FLIC10.metainfo()

    def __init__(
        self,
        ann_file: str = 'examples.mat',
        data_prefix: dict = dict(img='images'),
        split: str = 'train',
        convention: str = 'observer',
        box_size: float = 3.0,
        **kwargs: object,
    ) -> None:
        for what, value, known in (('split', split, SPLITS), ('convention', convention, CONVENTIONS)):
            if value not in known:
                raise UserError(f'FLIC has no {what} {value!r}; give one of {", ".join(known)}')
        self.split = split
        self.convention = convention
        self.box_size = box_size
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, metainfo=FLIC10.metainfo(), **kwargs)

    @property
    def shared_images(self) -> tuple[str, ...]:
        """The images with people of both splits, two in the genuine file."""
        self.full_init()
        return self._shared_images

    def load_data_list(self) -> list[dict]:
        """The people of the split, one sample each."""
        people = read_flic(self.ann_file)
        self._shared_images = _images_of_both_splits(people)
        if self._shared_images:
            _warn_of_shared_images(self.ann_file, self._shared_images)
        rows = split_rows(people, self.split)
        if not len(rows):
            raise UserError(f'annotation file {self.ann_file} has nobody in the split {self.split!r}; give another')
        keypoints = people.coords[:, : len(FLIC10.keypoints)]
        if self.convention == 'observer':
            keypoints = observer_centric(keypoints, FLIC10)
        visible = np.isfinite(keypoints).all(axis=2).astype(np.float32)
        keypoints = np.nan_to_num(keypoints).astype(np.float32)
        torso_boxes = people.torso_boxes.astype(np.float32)
        boxes = person_box(people.torso_boxes, self.box_size).astype(np.float32)
        _, image_ids = np.unique(people.file_names, return_inverse=True)
        return [
            dict(
                img_id=int(image_ids[row]),
                img_path=os.path.join(self.data_prefix['img'], str(people.file_names[row])),
                id=int(row),
                category_id=1,
                keypoints=keypoints[row : row + 1],
                keypoints_visible=visible[row : row + 1],
                bbox=boxes[row : row + 1],
                bbox_score=np.ones(1, dtype=np.float32),
                torso_box=torso_boxes[row : row + 1],
            )
            for row in rows
        ]


def read_flic(path: str) -> FlicPeople:
    """All people of an ``examples.mat``, sides as annotated: the person's own.

    Raises:
        UserError: naming the file, what is wrong with it and the remedy.
    """
    import scipy.io  # only who reads such a file waits for it

    if not exists(path):
        raise UserError(
            f'annotation file {path} does not exist; put FLIC there, point data_root or the environment variable '
            'CLASSICPOSE_DATA at it, or draw such data: python tools/generate_data.py data/flic --format flic'
        )
    try:
        contents = scipy.io.loadmat(path, variable_names=['examples'])
    except Exception as error:  # scipy's reader has no error of its own: it fails as what it stumbles over
        raise UserError(
            f'annotation file {path} is not a readable MATLAB file ({error}); copy or download it again'
        ) from error
    examples = contents.get('examples')
    if examples is None or examples.dtype.names is None:
        raise UserError(f'annotation file {path} has no struct "examples"; FLIC\'s examples.mat has one')
    examples = examples.ravel()
    for field in ('filepath', 'coords', 'torsobox', 'istrain', 'istest'):
        if field not in examples.dtype.names:
            raise UserError(f'annotation file {path}: its examples have no field "{field}"')
    try:
        names = np.array([str(name.item()) for name in examples['filepath']], dtype=np.str_)
        coords = np.array([table[:, COORDS_COLUMNS].T for table in examples['coords']], dtype=np.float64)
        boxes = np.array([box.ravel() for box in examples['torsobox']], dtype=np.float64)
        istrain, istest = (
            np.array([flag.item() for flag in examples[field]], dtype=bool) for field in ('istrain', 'istest')
        )
        coords = coords.reshape(len(names), len(COORDS_COLUMNS), 2)
        boxes = boxes.reshape(len(names), 4)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"annotation file {path}: its examples are not as FLIC's ({error}); copy or download it again"
        ) from error
    return FlicPeople(names, coords, boxes, istrain, istest)


def split_rows(people: FlicPeople, split: str) -> np.ndarray:
    """The rows of the people of a split, ascending.

    FLIC's test people are the last fifth of each film's; validation people are the first tenth of the others.
    Neighbouring frames show nearly the same image, so a split that took every tenth would be one of training images:
    half of its people would be within half a second of one. A film is what a file's name says before its last hyphen,
    its images are in the order of their names, and people of one image are in the same split.
    """
    if split == 'test':
        return np.flatnonzero(people.istest)
    if split == 'trainval':
        return np.flatnonzero(people.istrain)
    names = np.unique(people.file_names[people.istrain])
    films = defaultdict(list)
    for name in names.tolist():
        films[name.rpartition('-')[0]].append(name)
    # Somebody of every film that has two images.
    held_out = [
        name for own in films.values() for name in own[: max(round(_VALIDATION_SHARE * len(own)), len(own) > 1)]
    ]
    chosen = np.isin(people.file_names, held_out) == (split == 'val')
    return np.flatnonzero(people.istrain & chosen)


def person_box(torso_box: np.ndarray, size: float = 3.0) -> np.ndarray:
    """The square around the torso box's centre whose side is ``size`` torso heights: THE box of a person in FLIC.

    It may leave the image. All ten joints are inside for 93.7 % of the genuine people at size 2.5, for 99.3 % at 3.0
    and for all but one at 3.5.

    Args:
        torso_box: (..., 4) x1, y1, x2, y2.

    Returns:
        (..., 4) x1, y1, x2, y2.
    """
    torso_box = np.asarray(torso_box)
    center = (torso_box[..., :2] + torso_box[..., 2:]) / 2
    half = size / 2 * (torso_box[..., 3:] - torso_box[..., 1:2])
    return np.concatenate([center - half, center + half], axis=-1)


def _images_of_both_splits(people: FlicPeople) -> tuple[str, ...]:
    shared = np.intersect1d(people.file_names[people.istrain], people.file_names[people.istest])
    return tuple(str(name) for name in shared)


@functools.cache  # once a file, not once for each of training, validation and testing
def _warn_of_shared_images(path: str, names: tuple[str, ...]) -> None:
    print_log(
        f'{path} has images with people of both the training and the test split, which stay in both: '
        f'{", ".join(names[:10])}{", ..." if len(names) > 10 else ""}',
        logger='current',
        level=logging.WARNING,
    )
