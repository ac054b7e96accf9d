"""Keypoint AP and AR: pycocotools' evaluation with the two arguments xtcocotools adds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pycocotools import cocoeval

from .coco import COCO

# xtcocotools' estimate of the part of a person's box that the person covers.
BODY_SHARE_OF_BOX = 0.53


class COCOeval(cocoeval.COCOeval):
    """Evaluate body keypoints as xtcocotools does.

    Differences from pycocotools, all of them xtcocotools': labelled keypoints are counted, not
    read from ``num_keypoints``; detections whose keypoint scores are all zero are left out; the
    annotation id 0 is an id like any other.

    Args:
        cocoGt: Annotated people.
        cocoDt: Detected people, from ``cocoGt.loadRes``.
        iouType: Only ``'keypoints'``.
        sigmas: One OKS constant per keypoint; COCO's 17 by default.
        use_area: Whether OKS divides by the annotated ``area``. Data sets without one (CrowdPose,
            AIC) set it to False, which takes a fixed share of the box instead.

    Raises:
        ValueError: ``iouType`` is another one; whole-body and crowd evaluation need the genuine
            xtcocotools, boxes and masks pycocotools.
    """

    def __init__(
        self,
        cocoGt: COCO | None = None,
        cocoDt: COCO | None = None,
        iouType: str = 'keypoints',
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ) -> None:
        if iouType != 'keypoints':
            raise ValueError(
                f'iouType {iouType!r} is not supported by this stand-in for xtcocotools, which '
                "evaluates 'keypoints' only. Use Python 3.10 or 3.11, where the genuine "
                'xtcocotools is installed.'
            )
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self.use_area = use_area

    def _prepare(self) -> None:
        """Select the annotations and detections that ``evaluate`` compares."""
        self._gts = defaultdict(list)
        for annotation in self._selected(self.cocoGt):
            key = annotation['image_id'], annotation['category_id']
            self._gts[key].append(self._as_evaluated(annotation))
        self._dts = defaultdict(list)
        for detection in self._selected(self.cocoDt):
            if _count_labelled(detection) > 0:
                self._dts[detection['image_id'], detection['category_id']].append(detection)
        self.evalImgs = defaultdict(list)
        self.eval = {}

    def _selected(self, coco: COCO) -> list[dict]:
        categories = self.params.catIds if self.params.useCats else []
        return coco.loadAnns(coco.getAnnIds(imgIds=self.params.imgIds, catIds=categories))

    def _as_evaluated(self, annotation: dict) -> dict:
        """Copy an annotation into the form pycocotools' evaluation works on."""
        evaluated = dict(annotation)
        # pycocotools records a match by the annotation's id and reads 0 as "no match".
        evaluated['id'] = annotation['id'] + 1
        evaluated['ignore'] = bool(annotation['iscrowd']) or _count_labelled(annotation) == 0
        if not self.use_area:
            _, _, width, height = annotation['bbox']
            evaluated['area'] = width * height * BODY_SHARE_OF_BOX
        return evaluated


def _count_labelled(person: dict) -> int:
    """Count keypoints whose third number (visibility or score) is positive."""
    return int(np.count_nonzero(np.asarray(person['keypoints'])[2::3] > 0))
