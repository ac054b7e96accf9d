"""Lightweight OpenPose on COCO: dilated MobileNet, one refinement stage (Osokin 2018)."""

from mmengine.config import read_base
from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import Adam

from custom_modules.models import OpenPoseEstimator
from projects.lightweight_openpose import DilatedMobileNet, LightweightOpenPoseHead

with read_base():
    from ....configs._base_.affinity_fields_coco import *
    from ....configs._base_.runtime import *

model = dict(
    type=OpenPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=DilatedMobileNet, out_channels=128),
    head=dict(type=LightweightOpenPoseHead, in_channels=128, decoder=codec),
    test_cfg=dict(flip_test=False, scales=(1.0,), output_maps=True),
)
train_dataloader.update(batch_size=80, num_workers=8, sampler=dict(type=DefaultSampler, shuffle=True))

optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=Adam, lr=4e-5, weight_decay=5e-4, fused=True))
param_scheduler = dict(type=MultiStepLR, by_epoch=True, milestones=[100, 200, 260], gamma=0.333)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=280, val_interval=5)
