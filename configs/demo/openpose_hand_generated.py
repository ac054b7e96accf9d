"""A small hand network on synthetic hands: the stages of OpenPose's on EfficientNet-Lite0, in minutes on a CPU."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR
from torch.optim import AdamW

from custom_modules.engine import GuardedOptimWrapper
from custom_modules.models import EfficientNetLite, FinestLevelFPN

with read_base():
    from ..openpose_hand_coco_wholebody import *

iterations = 400
data_root = data_root.removesuffix('coco/') + 'generated/'
codec.update(input_size=(160, 160), heatmap_size=(20, 20), sigma=6.0)
data_preprocessor.update(mean=[127.0] * 3, std=[128.0] * 3)
model.update(
    backbone=dict(type=EfficientNetLite, out_indices=(2, 4, 5), frozen_stages=2),
    neck=dict(type=FinestLevelFPN, in_channels=(40, 112, 192), out_channels=64),
)
model.head.update(in_channels=64, num_stages=2, width=32, decoder=codec, init_cfg=dict(type='Kaiming', layer='Conv2d'))

train_dataloader.update(batch_size=16, num_workers=1)
affine.update(input_size=codec.input_size)
targets.update(encoder=codec)
train_dataloader.dataset.update(data_root=data_root, pipeline=[load, mirror, box, move, affine, targets, pack])
val_dataloader.update(num_workers=1)
val_dataloader.dataset.update(data_root=data_root, pipeline=[load, mirror, box, affine, pack_test])
test_dataloader = val_dataloader

optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=AdamW, lr=3e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1000),
)
param_scheduler = dict(type=OneCycleLR, eta_max=3e-3, total_steps=iterations, pct_start=0.1, by_epoch=False)
train_cfg.update(max_iters=iterations, val_interval=iterations)
default_hooks.logger.update(interval=20)
default_hooks.checkpoint.update(interval=iterations)
