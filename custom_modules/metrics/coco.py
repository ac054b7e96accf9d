"""COCO's average precision on checked annotation files, for any body model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from mmengine.logging import print_log
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.evaluation.metrics import CocoMetric
from mmpose.registry import METRICS

from classicpose.skeletons import (
    COCO17,
    FEET6,
    OPENPOSE18,
    Skeleton,
    convert_keypoints,
    doubtful_sigmas,
    get_skeleton,
    skeleton_of,
)

from ..datasets.annotations import choose_images, indexed, load_annotation_file

if TYPE_CHECKING:
    from xtcocotools.coco import COCO


@METRICS.register_module()
class CheckedCocoMetric(CocoMetric):
    """MMPose's CocoMetric with checks of the annotation file.

    It says in one line what is wrong with the file, derives the fields that CVAT and other tools do not export, and
    warns of sigmas that are ten times off.

    Args:
        ann_file: the annotation file, with the dataset's body model.
        only_images: the dataset's setting of that name, if it has one.
        kwargs: those of MMPose's CocoMetric: ``use_area``, ``score_mode``, ``nms_mode``, ``prefix``, ...

    Raises:
        UserError: when the dataset is known and the annotation file is missing or malformed.
    """

    def __init__(self, ann_file: str, only_images: str | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._ann_file = ann_file
        self._only_images = only_images

    @CocoMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Metainfo of the dataset, whose annotation file is read here."""
        skeleton = skeleton_of(dataset_meta)
        doubt = doubtful_sigmas(skeleton)
        if doubt:
            print_log(doubt, 'current', level=logging.WARNING)
        if self.coco is None:
            contents = load_annotation_file(self._ann_file, skeleton, evaluated=True)
            self.coco = indexed(choose_images(contents, self._only_images, None))
        CocoMetric.dataset_meta.fset(self, dataset_meta)


@METRICS.register_module()
class BodyCocoMetric(CheckedCocoMetric):
    """COCO's average precision for people of any body model, ranked by the scores their assembly gave them.

    The metric first converts predictions to the annotated keypoints, so the neck is never evaluated. Three other points
    differ from MMPose's CocoMetric: it evaluates the images it has seen, so that a dataset's ``indices`` work; a
    network that finds nobody scores 0 instead of crashing; and there is no suppression, because bottom-up people do not
    overlap by construction.

    COCO evaluates places only: a guessed keypoint, whose score is 0, counts as found, and a missing keypoint, at
    (0, 0), as found far away.

    Args:
        ann_file: the annotation file.
        skeleton: the body model of the predictions.
        annotated: the body model to evaluate: the annotation file's or a part of it.
        kwargs: those of MMPose's CocoMetric: ``use_area``, ``outfile_prefix``, ``prefix``, ...

    Raises:
        UserError: when the annotation file is missing or malformed.
    """

    def __init__(
        self,
        ann_file: str,
        skeleton: Skeleton | str = OPENPOSE18,
        annotated: Skeleton | str = COCO17,
        **kwargs: object,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.annotated = get_skeleton(annotated)
        super().__init__(ann_file=ann_file, score_mode='bbox', nms_mode='none', **kwargs)
        self.coco = indexed(load_annotation_file(ann_file, self.annotated, evaluated=True))
        # Bottom-up samples do not tell their people's category, which MMPose would take for 1.
        self._category = next((a['category_id'] for a in self.coco.dataset['annotations']), 1)

    @CheckedCocoMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Metainfo of the annotated body model, whatever the dataset predicts."""
        annotated = parse_pose_metainfo(self.annotated.metainfo())
        CheckedCocoMetric.dataset_meta.fset(self, dataset_meta | annotated)

    def process(self, data_batch: Sequence[dict], data_samples: Sequence[dict]) -> None:
        """Take over the people found, see MMPose's CocoMetric."""
        super().process(data_batch, [self._converted(sample) for sample in data_samples])

    def _converted(self, sample: dict) -> dict:
        """A copy: other metrics see the same samples."""
        people = sample['pred_instances']
        places = people['keypoints']
        known = places.any(axis=-1).astype(np.float32)
        keypoints, known = convert_keypoints(places, known, self.skeleton, self.annotated)
        # Places as scores: xtcocotools leaves out who has no score above 0, as somebody whose feet all are guesses.
        converted = people | dict(keypoints=keypoints, keypoint_scores=known)
        return dict(category_id=self._category) | sample | dict(pred_instances=converted)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """AP and AR over the images seen, see MMPose's CocoMetric."""
        if not any(len(prediction['keypoints']) for prediction, _ in results):
            print_log('Nobody was found in any image: AP is 0.', 'current')
            return dict.fromkeys(_COCO_STATISTICS, 0.0)
        self.coco = _only_images(self.coco, {prediction['img_id'] for prediction, _ in results})
        return super().compute_metrics(results)


# The names CocoMetric gives to cocoeval's ten numbers.
_COCO_STATISTICS = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)')


def _only_images(coco: COCO, image_ids: set[int]) -> COCO:
    return indexed(
        coco.dataset
        | dict(
            images=[image for image in coco.dataset['images'] if image['id'] in image_ids],
            annotations=[a for a in coco.dataset['annotations'] if a['image_id'] in image_ids],
        )
    )


@METRICS.register_module()
class FootCocoMetric(BodyCocoMetric):
    """COCO's average precision for the six keypoints of the feet, ``foot/AP`` and so on, with COCO-WholeBody's sigmas.

    People without labels on their feet are neither misses nor false positives.

    Args:
        ann_file: the annotation file.
        skeleton: the body model of the predictions.
        kwargs: those of MMPose's CocoMetric.
    """

    default_prefix = 'foot'

    def __init__(self, ann_file: str, skeleton: Skeleton | str, **kwargs: object) -> None:
        super().__init__(ann_file, skeleton, annotated=FEET6, **kwargs)
