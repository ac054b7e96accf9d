"""A run small enough for a test: four images of one person each, in COCO's format, and a
network of 12,000 weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

IMAGE_COUNT = 4

CONFIG = """
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from mmpose.codecs import RegressionLabel
from mmpose.datasets import (CocoDataset, GetBBoxCenterScale, GenerateTarget, LoadImage,
                             PackPoseInputs, TopdownAffine)
from mmpose.evaluation import CocoMetric
from mmpose.models import (GlobalAveragePooling, PoseDataPreprocessor, RegressionHead, ResNet,
                           SmoothL1Loss, TopdownPoseEstimator)
from torch.optim import SGD

default_scope = None
data_root = 'FOLDER/'
codec = dict(type=RegressionLabel, input_size=(64, 64))
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=dict(type=PoseDataPreprocessor),
    backbone=dict(type=ResNet, depth=18, base_channels=2, stem_channels=2),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=RegressionHead, in_channels=16, num_joints=17,
              loss=dict(type=SmoothL1Loss, use_target_weight=True), decoder=codec),
    test_cfg=dict(flip_test=False),
)
train_pipeline = [
    dict(type=LoadImage),
    dict(type=GetBBoxCenterScale),
    dict(type=TopdownAffine, input_size=(64, 64)),
    dict(type=GenerateTarget, encoder=codec),
    dict(type=PackPoseInputs),
]
val_pipeline = [
    dict(type=LoadImage),
    dict(type=GetBBoxCenterScale),
    dict(type=TopdownAffine, input_size=(64, 64)),
    dict(type=PackPoseInputs),
]
train_dataloader = dict(
    batch_size=1, num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(type=CocoDataset, data_root=data_root, ann_file='people.json',
                 data_prefix=dict(img='images/'), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1, num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False, round_up=False),
    dataset=dict(type=CocoDataset, data_root=data_root, ann_file='people.json', test_mode=True,
                 data_prefix=dict(img='images/'), pipeline=val_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=CocoMetric, ann_file=data_root + 'people.json')
test_evaluator = val_evaluator
max_epochs = 2
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=max_epochs)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.001))
default_hooks = dict(checkpoint=dict(type=CheckpointHook, interval=1))
"""


def write_data(folder: Path) -> None:
    """Four noise images under ``folder/images``, one person in each, and ``folder/people.json``."""
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for index in range(1, IMAGE_COUNT + 1):
        name = f'{index}.jpg'
        cv2.imwrite(str(folder / 'images' / name), rng.integers(0, 255, (80, 80, 3), dtype=np.uint8))
        images.append(dict(id=index, file_name=name, width=80, height=80))
        points = np.column_stack((rng.integers(10, 70, (17, 2)), np.full(17, 2)))
        annotations.append(
            dict(
                id=index, image_id=index, category_id=1, iscrowd=0, bbox=[10, 10, 60, 60],
                area=3600, num_keypoints=17, keypoints=points.ravel().tolist(),
            )
        )  # fmt: skip
    people = dict(info={}, images=images, annotations=annotations, categories=[dict(id=1, name='person')])
    (folder / 'people.json').write_text(json.dumps(people))


def write_config(folder: Path, data: Path) -> Path:
    """The config file, reading the data in ``data``."""
    path = folder / 'tiny.py'
    path.write_text(CONFIG.replace('FOLDER', str(data)))
    return path


def write(folder: Path) -> Path:
    """Data and config in ``folder``; the config's path."""
    write_data(folder / 'data')
    return write_config(folder, folder / 'data')
