"""COCO with the neck, augmented as OpenPose's authors do, as heatmaps and part affinity fields.

A config built on it changes steps by their names, and gives the datasets their pipelines of them.
"""

import os

from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.runner import TestLoop, ValLoop
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs

from custom_modules.codecs import PartAffinityField
from custom_modules.datasets import (
    BottomUpCocoDataset,
    CropAroundPerson,
    LoadIntactImage,
    ResizeToHeight,
    SameSizeBatchSampler,
    target_batch_collate,
)
from custom_modules.metrics import BodyCocoMetric
from custom_modules.models import BatchDataPreprocessor

data_root = os.environ.get('CLASSICPOSE_DATA', 'data') + '/coco/'
del os  # a module cannot be dumped with the config
data_mode = 'bottomup'
dataset_type = 'BottomUpCocoDataset'
codec = dict(type=PartAffinityField, input_size=(368, 368), heatmap_size=(46, 46), sigma=7.0, limb_width=8.0)

load = dict(type=LoadIntactImage)
crop = dict(type=CropAroundPerson, input_size=codec['input_size'], heatmap_size=codec['heatmap_size'])
targets = dict(type=GenerateTarget, encoder=codec)
pack = dict(type=PackPoseInputs, meta_keys=('img_id', 'img_path', 'input_size', 'annotated_keypoints'))
resize = dict(type=ResizeToHeight, height=368)
pack_test = dict(
    type=PackPoseInputs,
    meta_keys=('id', 'img_id', 'img_path', 'ori_shape', 'input_size', 'input_center', 'input_scale'),
)

train_dataloader = dict(
    batch_size=10,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    collate_fn=dict(type=target_batch_collate),
    dataset=dict(
        type=BottomUpCocoDataset,
        data_root=data_root,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017'),
        pipeline=[load, crop, targets, pack],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False, round_up=False),
    batch_sampler=dict(type=SameSizeBatchSampler),
    dataset=dict(
        type=BottomUpCocoDataset,
        data_root=data_root,
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017'),
        pipeline=[load, resize, pack_test],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=BodyCocoMetric, ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

# RGB with ImageNet's mean and deviation, as torchvision's weights expect.
data_preprocessor = dict(
    type=BatchDataPreprocessor,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=8,
)
