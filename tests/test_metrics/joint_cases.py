"""People for the metrics of joints and limbs, and their evaluation as MMEngine does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample


def people(
    seed: int, number: int = 40, joints: int = 6, unlabelled: float = 0.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, ground truth and diameters: joints missing in it, limbs of length zero, people without a torso."""
    rng = np.random.default_rng(seed)
    gt = rng.normal(100, 30, (number, joints, 2))
    pred = gt + rng.normal(0, 12, gt.shape)
    folded = rng.random(number) < 0.2
    gt[folded, 1] = gt[folded, 0]
    gt[rng.random((number, joints)) < unlabelled] = np.nan
    diameters = rng.uniform(20, 150, number)
    diameters[rng.random(number) < 0.1] = 0
    diameters[rng.random(number) < 0.1] = np.nan
    return pred, gt, diameters


def samples(
    pred: np.ndarray,
    gt: np.ndarray,
    boxes: np.ndarray | None = None,
    make: Callable[[np.ndarray], object] = np.asarray,
) -> list[PoseDataSample]:
    """What a top-down estimator returns for N people. Unlabelled joints are at (0, 0), as datasets have them."""
    result = []
    for index in range(len(gt)):
        person = gt[index : index + 1]
        labelled = ~np.isnan(person).any(axis=-1)
        truth = InstanceData(keypoints=make(np.nan_to_num(person)), keypoints_visible=make(labelled.astype(np.float32)))
        if boxes is not None:
            truth.torso_boxes = make(boxes[index : index + 1])
        found = InstanceData(keypoints=make(pred[index : index + 1]), keypoint_scores=make(np.ones(labelled.shape)))
        result.append(PoseDataSample(gt_instances=truth, pred_instances=found))
    return result


def evaluate(metrics: list | object, people: list[PoseDataSample], batch: int = 7) -> dict[str, float]:
    evaluator = Evaluator(metrics if isinstance(metrics, list) else [metrics])
    for start in range(0, len(people), batch):
        evaluator.process(people[start : start + batch])
    return evaluator.evaluate(len(people))
