"""Hands and faces of COCO-WholeBody, one a sample."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, FACE68, FACE70, HAND21, Skeleton, convert_keypoints

from .coco import load_annotation_file

# What COCO-WholeBody calls them, the keypoints there and here, and whether the network knows them mirrored only.
_PARTS: dict[str, tuple[tuple[str, bool], ...]] = dict(
    hand=(('lefthand', True), ('righthand', False)),
    face=(('face', False),),
)
_SKELETONS: dict[str, tuple[Skeleton, Skeleton]] = dict(hand=(HAND21, HAND21), face=(FACE68, FACE70))


@DATASETS.register_module()
class HandOrFaceDataset(BaseCocoStyleDataset):
    """The hands or the faces in a file of COCO-WholeBody's format (Jin et al., ECCV 2020).

    A sample is one valid hand or face: ``keypoints`` (1, K, 2) in the image's pixels, ``keypoints_visible`` (1, K), 0
    where unlabelled, ``bbox`` (1, 4), x and y of two corners, a square around the labelled keypoints, and ``mirrored``,
    which is true of left hands: the network knows right ones, see ``MirrorLeftHand``. A face's pupils, which
    nobody annotates, are the middles of its eyes.

    Args:
        part: 'hand' or 'face'.
        box_factor: the side of the square box, as a multiple of the longer side of the labelled keypoints' own box.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``ann_file``, ``data_root``, ``data_prefix``, ``pipeline``,
            ``test_mode``, ``indices``, ...

    Raises:
        UserError: when the annotation file is missing or malformed, or has no valid hand or face.
    """

    METAINFO = HAND21.metainfo()

    def __init__(self, part: str, box_factor: float, **kwargs: object) -> None:
        if part not in _PARTS:
            raise UserError(f'part {part!r}: give one of {", ".join(_PARTS)}')
        self.part = part
        self.box_factor = box_factor
        self.annotated, self.skeleton = _SKELETONS[part]
        super().__init__(metainfo=self.skeleton.metainfo(), **kwargs)

    def load_data_list(self) -> list[dict]:
        """The valid hands or faces of the annotation file."""
        contents = load_annotation_file(self.ann_file, COCO17)
        files = {image['id']: image['file_name'] for image in contents['images']}
        samples = [sample for annotation in contents['annotations'] for sample in self._samples(annotation, files)]
        if not samples:
            raise UserError(
                f"{self.ann_file} has no valid {self.part}: give a file in COCO-WholeBody's format, whose annotations "
                f'have {_PARTS[self.part][0][0]}_valid and {_PARTS[self.part][0][0]}_kpts'
            )
        for number, sample in enumerate(samples):
            sample['id'] = number
        return samples

    def _samples(self, annotation: dict, files: dict[int, str]) -> Iterator[dict]:
        for name, mirrored in _PARTS[self.part]:
            if not annotation.get(f'{name}_valid'):
                continue
            numbers = annotation.get(f'{name}_kpts', [])
            if len(numbers) != 3 * len(self.annotated.keypoints):
                raise UserError(
                    f'annotation file {self.ann_file}: annotation {annotation["id"]} has {len(numbers)} numbers of '
                    f"{name}_kpts, COCO-WholeBody's have {3 * len(self.annotated.keypoints)}"
                )
            table = np.array(numbers, dtype=np.float32).reshape(1, -1, 3)
            keypoints, visible = convert_keypoints(
                table[..., :2], (table[..., 2] > 0).astype(np.float32), self.annotated, self.skeleton
            )
            if not visible.any():
                continue
            yield dict(
                img_id=annotation['image_id'],
                img_path=os.path.join(self.data_prefix['img'], files[annotation['image_id']]),
                category_id=1,
                keypoints=keypoints,
                keypoints_visible=visible,
                bbox=square_box(keypoints[0][visible[0] > 0], self.box_factor)[None],
                bbox_score=np.ones(1, dtype=np.float32),
                mirrored=mirrored,
            )


@DATASETS.register_module()
class HandDataset(HandOrFaceDataset):
    """The hands in a file of COCO-WholeBody's format, see ``HandOrFaceDataset``.

    Args:
        box_factor: the side of the square box, as a multiple of the longer side of the labelled keypoints' own box.
        kwargs: those of MMPose's BaseCocoStyleDataset.
    """

    METAINFO = HAND21.metainfo()

    def __init__(self, **kwargs: object) -> None:
        super().__init__(part='hand', **kwargs)


@DATASETS.register_module()
class FaceDataset(HandOrFaceDataset):
    """The faces in a file of COCO-WholeBody's format, see ``HandOrFaceDataset``.

    Args:
        box_factor: the side of the square box, as a multiple of the longer side of the labelled keypoints' own box.
        kwargs: those of MMPose's BaseCocoStyleDataset.
    """

    METAINFO = FACE70.metainfo()

    def __init__(self, **kwargs: object) -> None:
        super().__init__(part='face', **kwargs)


def square_box(points: np.ndarray, factor: float) -> np.ndarray:
    """(4,) x1, y1, x2, y2 float32 of the square around the points (M, 2), its side ``factor`` times their box's."""
    low, high = points.min(axis=0), points.max(axis=0)
    center, half = (low + high) / 2, max((high - low).max(), 1) * factor / 2
    return np.concatenate([center - half, center + half]).astype(np.float32)
