"""What always the mean pose scores on COCO-mini: what every single-person network has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmpose.registry import DATASETS, METRICS
from shipped_configs import REPOSITORY

from custom_modules.configuration.loading import load_config


@pytest.mark.real_data
@pytest.mark.parametrize('ratio', [1.0, 192 / 256], ids=['256x256', '192x256'])
def test_the_mean_pose_is_worth_nothing(real_coco: Path, ratio: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean place of each joint in the training people's crops, of the given width by height, has AP below 0.001."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(real_coco.parent.absolute()))
    config = load_config(REPOSITORY / 'configs/resnet18_heatmap_coco.py')
    train, val = (people(config[loader].dataset) for loader in ('train_dataloader', 'val_dataloader'))
    corners, sizes = crops(train, ratio)
    keypoints = np.concatenate([person['keypoints'] for person in train])
    places = (keypoints - corners[:, None]) / sizes[:, None]
    seen = np.concatenate([person['keypoints_visible'] for person in train]) > 0
    mean = places.mean(axis=0, where=seen[..., None])

    corners, sizes = crops(val, ratio)
    mean_poses = corners[:, None] + mean * sizes[:, None]
    true_poses = [person['keypoints'][0] for person in val]
    assert average_precision(config.val_evaluator, val, mean_poses) < 0.001
    # Without the suppression of people so alike, true poses have all of it: the mean pose is to blame.
    assert average_precision(dict(config.val_evaluator, nms_mode='none'), val, true_poses) == pytest.approx(1)


def people(dataset: dict) -> BaseDataset:
    """The people of a config, with the place and the size of their boxes, margins included, but no images."""
    return DATASETS.build(dict(dataset, pipeline=[dict(type='mmpose.GetBBoxCenterScale')]))


def crops(dataset: BaseDataset, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """The upper left corners and the sizes (N, 2) of the smallest crops of width by height around the boxes."""
    center, scale = (np.concatenate([person[name] for person in dataset]) for name in ('bbox_center', 'bbox_scale'))
    width = np.maximum(scale[:, 0], scale[:, 1] * ratio)
    sizes = np.stack([width, width / ratio], axis=1)
    return center - sizes / 2, sizes


def average_precision(evaluator: dict, dataset: BaseDataset, keypoints: Iterable[np.ndarray]) -> float:
    """AP of one pose (17, 2) a person, in the image's pixels."""
    metric = METRICS.build(evaluator)
    metric.dataset_meta = dataset.metainfo
    for person, pose in zip(dataset, keypoints, strict=True):
        found = dict(keypoints=pose[None], keypoint_scores=np.ones((1, len(pose))))
        metric.process([], [dict(person, pred_instances=found, gt_instances={})])
    return metric.evaluate(len(dataset))['coco/AP']
