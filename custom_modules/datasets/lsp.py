"""Leeds Sports Pose and its extension: whole bodies, one an image.

Convention: coordinates are the annotation file's own numbers, unshifted, sides the person's own. LSP's count pixels
from 1, as MATLAB does; published results compare the raw numbers, and so does this project.

Symbols: N people, K = 14 keypoints of LSP14.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from mmengine.fileio import exists
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS
from PIL import Image

from classicpose.errors import UserError
from classicpose.skeletons import LSP14

SPLITS = ('train', 'val', 'trainval', 'test')

_TRAINING_PEOPLE = 1000  # of LSP; the rest are for testing
# Of ten blocks of so many training people the first is for validation: neighbours are often of one photographer.
_VALIDATION_BLOCK, _VALIDATION_EVERY = 100, 10


class LspPeople(NamedTuple):
    """All people of a ``joints.mat``; number ``i`` is in image ``i + 1``.

    Attributes:
        keypoints: (N, K, 2) float64 pixels, (0, 0) where not labelled.
        labelled: (N, K) bool.
        extended: whether this is the extension, all of it for training, and not LSP.
    """

    keypoints: np.ndarray
    labelled: np.ndarray
    extended: bool


@DATASETS.register_module()
class LspDataset(BaseCocoStyleDataset):
    """One sample for every image of LSP or of its extension; the shape of the annotation file says which.

    A sample holds, besides MMPose's metainfo, ``img_path``, ``img_id`` and ``id``, both the person's row, ``keypoints``
    (1, K, 2) float32, ``keypoints_visible`` (1, K) float32, 1 where labelled, ``bbox`` (1, 4) float32, the whole
    image as in DeepPose, and ``bbox_score`` (1,).

    Args:
        ann_file: the annotation file, in ``data_root``.
        data_prefix: ``img`` is the folder of the images, in ``data_root``.
        split: 'trainval' is the first 1000 people of LSP, or all of the extension. 'val' is the first of every ten
            blocks of 100 of these people, 'train' the other blocks. 'test' is the rest of LSP.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``data_root``, ``pipeline``, ``test_mode``, ``indices``, ...

    Raises:
        UserError: when the annotation file or an image is missing or malformed, the split is unknown or has nobody.
    """

    METAINFO = LSP14.metainfo()

    def __init__(
        self,
        ann_file: str = 'joints.mat',
        data_prefix: dict = dict(img='images'),
        split: str = 'trainval',
        **kwargs: object,
    ) -> None:
        if split not in SPLITS:
            raise UserError(f'LSP has no split {split!r}; give one of {", ".join(SPLITS)}')
        self.split = split
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, metainfo=LSP14.metainfo(), **kwargs)

    def get_data_info(self, idx: int) -> dict:
        """One sample, as the class describes it."""
        info = super().get_data_info(idx)
        # Not while loading the list: ten thousand files would be opened before the first step.
        try:
            with Image.open(info['img_path']) as image:
                width, height = image.size
        except OSError as error:
            raise UserError(
                f'image {info["img_path"]} cannot be read ({error.strerror or error}); '
                'put the images there or set data_prefix'
            ) from error
        info['bbox'] = np.array([[0, 0, width, height]], dtype=np.float32)
        return info

    def load_data_list(self) -> list[dict]:
        """The people of the split, one sample each."""
        people = read_lsp(self.ann_file)
        count = len(people.keypoints)
        trained = np.arange(count if people.extended else min(count, _TRAINING_PEOPLE))
        block = min(_VALIDATION_BLOCK, max(len(trained) // _VALIDATION_EVERY, 1))
        validation = trained // block % _VALIDATION_EVERY == 0
        rows = dict(
            train=trained[~validation], val=trained[validation], trainval=trained, test=np.arange(len(trained), count)
        )[self.split].tolist()
        if not rows:
            raise UserError(
                f'annotation file {self.ann_file} has nobody in the split {self.split!r}; '
                'LSP Extended is for training only, LSP has all splits'
            )
        digits = 5 if people.extended else 4
        return [
            dict(
                img_id=row,
                img_path=os.path.join(self.data_prefix['img'], f'im{row + 1:0{digits}d}.jpg'),
                id=row,
                category_id=1,
                keypoints=people.keypoints[row : row + 1].astype(np.float32),
                keypoints_visible=people.labelled[row : row + 1].astype(np.float32),
                bbox_score=np.ones(1, dtype=np.float32),
            )
            for row in rows
        ]


def read_lsp(path: str) -> LspPeople:
    """All people of a ``joints.mat``, of LSP (3, K, N) or its extension (K, 3, N).

    The third number of a joint is not the same in both. In LSP every joint is placed and the number says that it is
    hidden, whatever its README calls it; results count hidden joints too. In the extension it says that the joint is
    labelled: the places of the others are meaningless, and the same for all such joints of a person.

    Raises:
        UserError: naming the file, what is wrong with it and the remedy.
    """
    import scipy.io  # only who reads such a file waits for it

    if not exists(path):
        raise UserError(
            f'annotation file {path} does not exist; put LSP or LSP Extended there, or point data_root or the '
            'environment variable CLASSICPOSE_DATA at it'
        )
    try:
        joints = scipy.io.loadmat(path, variable_names=['joints']).get('joints')
    except Exception as error:  # scipy's reader has no error of its own: it fails as what it stumbles over
        raise UserError(
            f'annotation file {path} is not a readable MATLAB file ({error}); copy or download it again'
        ) from error
    if joints is None:
        raise UserError(f'annotation file {path} has no matrix "joints"; LSP\'s joints.mat has one')
    count = len(LSP14.keypoints)
    if joints.ndim != 3 or joints.shape[:2] not in ((3, count), (count, 3)):
        raise UserError(
            f'annotation file {path}: its joints have the shape {joints.shape}; '
            f'LSP has (3, {count}, N), LSP Extended ({count}, 3, N)'
        )
    extended = joints.shape[0] == count
    people = joints.transpose((2, 0, 1) if extended else (2, 1, 0)).astype(np.float64)
    keypoints = people[..., :2]
    labelled = people[..., 2] > 0 if extended else np.ones(people.shape[:2], dtype=bool)
    return LspPeople(np.where(labelled[..., None], keypoints, 0), labelled, extended)
