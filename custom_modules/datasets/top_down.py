"""COCO person keypoints for top-down training and testing: one person a sample."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, Skeleton, get_skeleton

from .annotations import choose_images, load_annotation_file


@DATASETS.register_module()
class TopDownCocoDataset(BaseCocoStyleDataset):
    """MMPose's CocoDataset for any body model, which says in one line what is wrong with an annotation file.

    Every person with labelled keypoints is a sample, crowds are none. A sample holds ``keypoints`` (1, K, 2) in the
    image's pixels, ``keypoints_visible`` (1, K), 0 where unlabelled, and ``bbox`` (1, 4), x and y of two corners.

    Args:
        skeleton: the body model of the annotation file.
        whole_image: take one sample for each image, its largest person, with the full image as the box.
        only_images: a text file with the ``file_name`` of one image on each line; the dataset takes these images only.
        without_images: such a file of images that the dataset leaves out.
        kwargs: those of MMPose's BaseCocoStyleDataset: ``ann_file``, ``data_root``, ``data_prefix``, ``pipeline``,
            ``test_mode``, ``indices`` (the first so many samples, or which), ``bbox_file``, ...

    Raises:
        UserError: when the annotation file is missing or malformed, or holds nobody with keypoints.
    """

    METAINFO = COCO17.metainfo()

    def __init__(
        self,
        skeleton: Skeleton | str = COCO17,
        whole_image: bool = False,
        only_images: str | None = None,
        without_images: str | None = None,
        **kwargs: object,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.whole_image = whole_image
        self.only_images, self.without_images = only_images, without_images
        super().__init__(metainfo=self.skeleton.metainfo(), **kwargs)

    def load_data_list(self) -> list[dict]:
        """The annotated people, one sample each, or those of a file of boxes."""
        people = super().load_data_list()
        if not people:
            raise UserError(f'{self.ann_file}: nobody has labelled keypoints and a box')
        return people

    def _load_annotations(self) -> tuple[list[dict], list[dict]]:
        contents = load_annotation_file(self.ann_file, self.skeleton)
        contents = choose_images(contents, self.only_images, self.without_images)
        self._metainfo['CLASSES'] = contents['categories']
        annotations = defaultdict(list)
        for annotation in contents['annotations']:
            annotations[annotation['image_id']].append(annotation)
        images = [
            dict(image, img_id=image['id'], img_path=os.path.join(self.data_prefix['img'], image['file_name']))
            for image in contents['images']
            if image['id'] % self.sample_interval == 0
        ]
        people = (
            self.parse_data_info(dict(raw_ann_info=annotation, raw_img_info=image))
            for image in images
            for annotation in annotations[image['id']]
        )
        return [person for person in people if person], images

    def _load_detection_results(self) -> list[dict]:
        contents = load_annotation_file(self.ann_file, self.skeleton)
        images = {
            image['id']: image for image in choose_images(contents, self.only_images, self.without_images)['images']
        }
        count = len(self.skeleton.keypoints)
        people = []
        for number, (image_id, box, score) in enumerate(_read_boxes(self.bbox_file, images)):
            image = images[image_id]
            people.append(
                dict(
                    img_id=image_id,
                    img_path=os.path.join(self.data_prefix['img'], image['file_name']),
                    img_shape=(image['height'], image['width']),
                    bbox=np.array([[*box[:2], box[0] + box[2], box[1] + box[3]]], np.float32),
                    bbox_score=np.array([score], np.float32),
                    keypoints=np.zeros((1, count, 2), np.float32),
                    keypoints_visible=np.ones((1, count), np.float32),
                    id=number,
                )
            )
        return people

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One person's sample, None for those that are left out."""
        person = super().parse_data_info(raw_data_info)
        if self.whole_image:
            image = raw_data_info['raw_img_info']
            person['bbox'] = np.array([[0, 0, image['width'], image['height']]], dtype=np.float32)
        return person

    def _get_topdown_data_infos(self, instance_list: list[dict]) -> list[dict]:
        people = super()._get_topdown_data_infos(instance_list)
        if not self.whole_image:
            return people
        largest: dict[int, dict] = {}
        for person in people:
            other = largest.setdefault(person['img_id'], person)
            if person['area'] > other['area']:
                largest[person['img_id']] = person
        return list(largest.values())


def _read_boxes(path: str, images: Collection[int]) -> list[tuple[int, list[float], float]]:
    """Image id, x, y, width, height and score of the people of these images in a file of COCO results."""
    try:
        contents = json.loads(Path(path).read_bytes())  # of bytes, as those know of byte-order marks
        boxes = [(box['category_id'], box['image_id'], [*map(float, box['bbox'])], box['score']) for box in contents]
    except OSError as error:
        raise UserError(f'bbox_file {path} cannot be read ({error.strerror})') from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'bbox_file {path}: {type(error).__name__} {error}; it is a list of COCO results: '
            '{"image_id": 1, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}'
        ) from error
    people = [(image, box, score) for category, image, box, score in boxes if category == 1 and image in images]
    if not people:
        categories = ', '.join(sorted({str(category) for category, *_ in boxes})) or 'none'
        raise UserError(
            f'bbox_file {path} has no person in the images of the annotation file: people have category_id 1, '
            f'its {len(boxes)} boxes have {categories}'
        )
    return people
