"""COCO person keypoints for bottom-up training and testing, with the neck."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS
from pycocotools import mask as run_lengths

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, FEET6, OPENPOSE18, Skeleton, convert_keypoints, get_skeleton, known_keypoints

from .annotations import choose_images, load_annotation_file

# Who is a main person, on whom training samples are centred (genJSON.m of the original code): enough keypoints, five of
# COCO's and as large a share of other body models', not too small, and not so close to an earlier one, in shares of
# that one's size, that the samples would be nearly the same.
_MAIN_KEYPOINTS = 5 / len(COCO17.keypoints)
_MAIN_AREA = 32**2
_MAIN_DISTANCE = 0.3


@DATASETS.register_module()
class BottomUpCocoDataset(BaseCocoStyleDataset):
    """COCO-format keypoints, all people of an image together.

    In training there is one sample for every main person, centred on that person; all other people are targets too. In
    testing there is one sample for every image, with or without people. Keypoints are converted to ``skeleton``, which
    makes the neck.

    A sample holds the image's ``height`` and ``width``, ``keypoints`` (N, K, 2) in the image's pixels,
    ``keypoints_visible`` (N, K) in {0, 1} and ``bbox`` (N, 4), x and y of two corners; a training sample also
    ``annotated_keypoints`` (K,) bool, the keypoints that the annotations can give, ``main_center`` (2,),
    ``main_height`` and ``ignore``, the compressed run lengths (or None) of the pixels without complete annotations:
    people without keypoints, and crowds less the people annotated in them.

    Args:
        skeleton: the body model to train.
        annotated: the body model of the annotation file. If it has feet, those of an image count as annotated where
            everybody with a labelled ankle has labels on the feet.
        only_images: a text file with the ``file_name`` of one image on each line; the dataset takes these images only.
        without_images: such a file of images that the dataset leaves out.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``ann_file``, ``data_root``, ``data_prefix``, ``pipeline``,
            ``test_mode``, ``indices`` (the first so many images), ...

    Raises:
        UserError: when the annotation file is missing or malformed, or holds nobody to train on.
    """

    METAINFO = OPENPOSE18.metainfo()

    def __init__(
        self,
        skeleton: Skeleton | str = OPENPOSE18,
        annotated: Skeleton | str = COCO17,
        only_images: str | None = None,
        without_images: str | None = None,
        **kwargs: object,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.only_images, self.without_images = only_images, without_images
        self.annotated = get_skeleton(annotated)
        self._annotated_keypoints = known_keypoints(self.annotated, self.skeleton)
        super().__init__(data_mode='bottomup', metainfo=self.skeleton.metainfo(), **kwargs)

    def full_init(self) -> None:
        """As MMEngine's; in training, also list the main people, one sample each."""
        if self._fully_initialized:
            return
        super().full_init()
        if self.test_mode:
            return
        # Images are stored once; a sample is a pair of numbers, the image's and its main person's.
        self._samples = np.array(
            [
                (index, main)
                for index in range(super().__len__())
                for main in range(len(super(BaseCocoStyleDataset, self).get_data_info(index)['mains']))
            ],
            dtype=np.int32,
        ).reshape(-1, 2)
        if not len(self._samples):
            raise UserError(
                f'{self.ann_file}: nobody to train on; a main person has at least '
                f'{main_keypoints(len(self.annotated.keypoints))} labelled keypoints and an area of {_MAIN_AREA} '
                'pixels'
            )

    def __len__(self) -> int:
        self.full_init()
        return super().__len__() if self.test_mode else len(self._samples)

    def get_data_info(self, idx: int) -> dict:
        """One sample, as the class describes it."""
        if self.test_mode:
            return super().get_data_info(idx)
        image, main = self._samples[idx]
        info = super().get_data_info(int(image))
        info['main_center'], info['main_height'] = info.pop('mains')[main]
        return info

    def load_data_list(self) -> list[dict]:
        """The images of the annotation file with their people."""
        contents = load_annotation_file(self.ann_file, self.annotated)
        contents = choose_images(contents, self.only_images, self.without_images)
        people = defaultdict(list)
        for annotation in contents['annotations']:
            people[annotation['image_id']].append(annotation)
        self._metainfo['CLASSES'] = contents['categories']
        return [self._image(image, people[image['id']]) for image in contents['images']]

    def _image(self, image: dict, annotations: list[dict]) -> dict:
        info = dict(
            img_id=image['id'],
            img_path=os.path.join(self.data_prefix['img'], image['file_name']),
            id=[annotation['id'] for annotation in annotations],
            height=image['height'],
            width=image['width'],
        )
        people = [a for a in annotations if not a.get('iscrowd', 0) and _labelled(a).any()]
        table = np.array([a['keypoints'] for a in people], dtype=np.float32)
        table = table.reshape(len(people), len(self.annotated.keypoints), 3)
        info['keypoints'], info['keypoints_visible'] = convert_keypoints(
            table[..., :2], (table[..., 2] > 0).astype(np.float32), self.annotated, self.skeleton
        )
        corner, size = np.split(np.array([a['bbox'] for a in people], dtype=np.float32).reshape(-1, 4), 2, axis=1)
        info['bbox'] = np.hstack([corner, corner + size])
        if self.test_mode:
            return info
        info['annotated_keypoints'] = self._annotated_keypoints.copy()
        if not _feet_are_known(table, self.annotated):
            info['annotated_keypoints'][[name in FEET6.keypoints for name in self.skeleton.keypoints]] = False
        info['mains'] = main_people(people)
        info['ignore'] = ignored_region(annotations, image['height'], image['width'])
        return info


def _feet_are_known(table: np.ndarray, annotated: Skeleton) -> bool:
    """Whether in an image of people (N, K, 3) somebody's feet are labelled, and nobody with an ankle lacks them."""
    labelled = table[..., 2] > 0
    feet, ankles = (
        labelled[:, [name in names for name in annotated.keypoints]].any(axis=1)
        for names in (FEET6.keypoints, ('left_ankle', 'right_ankle'))
    )
    return bool(feet.any() and feet[ankles].all())


def main_people(annotations: list[dict]) -> list[tuple[np.ndarray, float]]:
    """Those on whom a training sample is centred: the (x, y) centre of the box and its height, in pixels."""
    mains: list[tuple[np.ndarray, float]] = []
    sizes: list[float] = []
    for annotation in annotations:
        labelled = _labelled(annotation)
        if labelled.sum() < main_keypoints(len(labelled)) or annotation['area'] < _MAIN_AREA:
            continue
        x, y, width, height = annotation['bbox']
        center = np.array([x + width / 2, y + height / 2], dtype=np.float32)
        near = (
            np.linalg.norm(center - other) < _MAIN_DISTANCE * size
            for (other, _), size in zip(mains, sizes, strict=True)
        )
        if not any(near):
            mains.append((center, float(height)))
            sizes.append(max(width, height))
    return mains


def main_keypoints(keypoints: int) -> int:
    """How many of a body model's keypoints a main person has at least."""
    return max(round(_MAIN_KEYPOINTS * keypoints), 1)


def ignored_region(annotations: list[dict], height: int, width: int) -> dict | None:
    """Where people are that nobody annotated, as compressed run lengths; None where there is no such place.

    People without keypoints, and crowds less all people outlined on their own (genCOCOMask.m of the original code).
    """
    outlined = [a for a in annotations if a.get('segmentation')]
    people = [a for a in outlined if not a.get('iscrowd', 0)]
    crowds = [a for a in outlined if a.get('iscrowd', 0)]
    regions = [_run_lengths(a, height, width) for a in people if not _labelled(a).any()]
    if crowds:
        crowd = run_lengths.decode(run_lengths.merge([_run_lengths(a, height, width) for a in crowds]))
        if people:
            crowd &= 1 - run_lengths.decode(run_lengths.merge([_run_lengths(a, height, width) for a in people]))
        regions.append(run_lengths.encode(np.asfortranarray(crowd)))
    region = run_lengths.merge(regions) if regions else None
    return region if region and run_lengths.area(region) else None


def _run_lengths(annotation: dict, height: int, width: int) -> dict:
    segmentation = annotation['segmentation']
    if isinstance(segmentation, dict) and isinstance(segmentation['counts'], bytes | str):
        return segmentation
    encoded = run_lengths.frPyObjects(segmentation, height, width)
    return run_lengths.merge(encoded) if isinstance(encoded, list) else encoded


def _labelled(annotation: dict) -> np.ndarray:
    return np.asarray(annotation['keypoints'][2::3]) > 0
