"""FLIC's people, one a sample, as full images: the cascade cuts its crops itself."""

import os

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from mmpose.datasets.transforms import PackPoseInputs
from mmpose.models import PoseDataPreprocessor

from custom_modules.datasets import FlicDataset, LoadIntactImage
from custom_modules.engine import NextStageHook
from custom_modules.metrics import PCP, PDJ

with read_base():
    from .runtime import *

data_root = os.environ.get('CLASSICPOSE_DATA', 'data') + '/flic/'
del os  # a module cannot be dumped with the config

data_mode = 'topdown'
dataset_type = 'FlicDataset'
load = dict(type=LoadIntactImage)
pack = dict(type=PackPoseInputs, meta_keys=('id', 'img_id', 'img_path', 'ori_shape'))
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(type=FlicDataset, data_root=data_root, split='train', pipeline=[load, pack]),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False, round_up=False),
    dataset=dict(type=FlicDataset, data_root=data_root, split='val', pipeline=[load, pack], test_mode=True),
)
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], split='test'))
val_evaluator = [dict(type=PDJ), dict(type=PCP)]
# Each stage's, then the last one's.
test_evaluator = [
    dict(type=PDJ, stage=1, prefix='stage_1/pdj'),
    dict(type=PCP, stage=1, prefix='stage_1/pcp'),
    dict(type=PDJ, stage=2, prefix='stage_2/pdj'),
    dict(type=PCP, stage=2, prefix='stage_2/pcp'),
    dict(type=PDJ),
    dict(type=PCP),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=100, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

data_preprocessor = dict(type=PoseDataPreprocessor)
custom_hooks = [dict(type=NextStageHook)]
