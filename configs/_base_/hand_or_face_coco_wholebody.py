"""Hands or faces of COCO-WholeBody, the network and the recipe of OpenPose's.

A config built on it names the dataset of its part, and gives the codec to the model and to the step ``targets``.
"""

from mmengine.config import read_base
from mmengine.dataset import InfiniteSampler
from mmengine.optim import StepLR
from mmengine.runner import IterBasedTrainLoop
from mmpose.datasets.transforms import GetBBoxCenterScale
from mmpose.evaluation import PCKAccuracy
from mmpose.models import TopdownPoseEstimator
from torch.optim import SGD

from custom_modules.codecs import PoseMachineHeatmap
from custom_modules.datasets import HandOrFaceDataset
from custom_modules.engine import OpenPoseOptimWrapperConstructor
from custom_modules.models import PoseMachineHead, PoseMachineVGG

with read_base():
    from .top_down_coco import *

dataset_type = 'HandOrFaceDataset'
codec = dict(type=PoseMachineHeatmap, input_size=(368, 368), heatmap_size=(46, 46), sigma=7.0)
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=PoseMachineVGG, weights='imagenet'),
    head=dict(type=PoseMachineHead, in_channels=128, num_stages=6, decoder=codec),
    test_cfg=dict(flip_test=False),
)

# The box is the square that the network sees.
box.update(padding=1.0)
affine.update(input_size=codec['input_size'])
train_dataloader.dataset.update(type=HandOrFaceDataset, ann_file='annotations/coco_wholebody_train_v1.0.json')
val_dataloader.dataset.update(type=HandOrFaceDataset, ann_file='annotations/coco_wholebody_val_v1.0.json')
train_dataloader.update(batch_size=10, sampler=dict(type=InfiniteSampler, shuffle=True))
val_dataloader.update(batch_size=16)
test_dataloader = val_dataloader
# Of the box's side.
val_evaluator = dict(type=PCKAccuracy, thr=0.1, norm_item='bbox')
test_evaluator = val_evaluator

# The learning rate belongs to MaskedL2Loss, a sum over cells, and a batch of 10.
optim_wrapper.update(
    optimizer=dict(type=SGD, lr=4e-5, momentum=0.9, weight_decay=5e-4, fused=True),
    constructor=OpenPoseOptimWrapperConstructor,
    paramwise_cfg=dict(later_stages_lr_mult=4, bias_lr_mult=2, bias_decay_mult=0),
)
param_scheduler = dict(type=StepLR, by_epoch=False, step_size=100000, gamma=0.333)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=300000, val_interval=5000)
default_hooks.checkpoint.update(by_epoch=False, interval=5000, save_best='PCK')
log_processor = dict(by_epoch=False)
