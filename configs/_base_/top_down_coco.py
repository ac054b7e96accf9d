"""COCO's people one by one, each in its annotated box.

A config built on it gives its codec to the steps that need it, ``affine`` and ``targets``, and the datasets their
pipelines of the steps.
"""

import os

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmengine.optim import LinearLR, MultiStepLR
from mmengine.runner import EpochBasedTrainLoop, LogProcessor, TestLoop, ValLoop
from mmpose.datasets.transforms import (
    GenerateTarget,
    GetBBoxCenterScale,
    PackPoseInputs,
    RandomBBoxTransform,
    RandomFlip,
    TopdownAffine,
)
from torch.optim import Adam

from custom_modules.datasets import LoadIntactImage, TopDownCocoDataset, target_batch_collate
from custom_modules.engine import GuardedOptimWrapper, PredictionCheckHook
from custom_modules.metrics import CheckedCocoMetric
from custom_modules.models import BatchDataPreprocessor

with read_base():
    from .runtime import *

data_root = os.environ.get('CLASSICPOSE_DATA', 'data') + '/coco/'
del os  # a module cannot be dumped with the config

data_mode = 'topdown'
dataset_type = 'TopDownCocoDataset'
load = dict(type=LoadIntactImage)
box = dict(type=GetBBoxCenterScale)
flip = dict(type=RandomFlip)
move = dict(type=RandomBBoxTransform, shift_prob=0.0, scale_factor=(0.7, 1.3), rotate_factor=40.0)
affine = dict(type=TopdownAffine)
targets = dict(type=GenerateTarget)
pack = dict(type=PackPoseInputs, meta_keys=('id', 'img_id', 'img_path', 'input_size'))
pack_test = dict(
    type=PackPoseInputs,
    meta_keys=(
        'id',
        'img_id',
        'img_path',
        'category_id',
        'ori_shape',
        'input_size',
        'input_center',
        'input_scale',
        'flip_indices',
    ),
)
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    collate_fn=dict(type=target_batch_collate),
    dataset=dict(
        type=TopDownCocoDataset,
        data_root=data_root,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017'),
        pipeline=[load, box, flip, move, affine, targets, pack],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False, round_up=False),
    dataset=dict(
        type=TopDownCocoDataset,
        data_root=data_root,
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017'),
        pipeline=[load, box, affine, pack_test],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=CheckedCocoMetric, ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
optim_wrapper = dict(type=GuardedOptimWrapper, optimizer=dict(type=Adam, lr=1e-3, fused=True))
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, end=200),
    dict(type=MultiStepLR, milestones=[20, 27]),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=30, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

# RGB with ImageNet's mean and deviation, as torchvision's weights expect.
data_preprocessor = dict(
    type=BatchDataPreprocessor,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)
# The loss at every 50th step, and at the end of an epoch its mean.
default_hooks.logger.update(ignore_last=False)
log_processor = dict(
    type=LogProcessor,
    custom_cfg=[dict(data_src='loss', log_name='loss_epoch_mean', method_name='mean', window_size='epoch')],
)
custom_hooks.append(dict(type=PredictionCheckHook))
