"""A small OpenPose for CPUs and little data: EfficientNet-Lite0 from ImageNet, a feature pyramid, two residual stages.

3.44 million parameters, 11.2 GFLOP at 368x656 and 7.4 at 368x432, where a multiplication and an addition are two.

Train with --amp on CPUs that compute in bfloat16. The schedule is one cycle of the learning rate: to go on from a
trained network begin another one with --cfg-options load_from=CHECKPOINT.
"""

from mmengine.config import read_base
from mmengine.hooks import EMAHook
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import IterBasedTrainLoop
from mmpose.datasets.transforms import YOLOXHSVRandomAug
from torch.optim import AdamW

from custom_modules.engine import GroupedEMA, GroupedOptimWrapperConstructor, GuardedOptimWrapper
from custom_modules.models import (
    EfficientNetLite,
    FinestLevelFPN,
    MaskedL2Loss,
    OpenPoseEstimator,
    ResidualPartAffinityHead,
)

with read_base():
    from ._base_.affinity_fields_coco import *
    from ._base_.runtime import *

# A higher score than usual costs 0.001 of AP and drops most of the people who are none.
codec.update(input_size=(256, 256), heatmap_size=(32, 32), decoder=dict(min_score=0.35))
data_preprocessor.update(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    type=OpenPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=EfficientNetLite, out_indices=(2, 4, 5), frozen_stages=2),
    neck=dict(type=FinestLevelFPN, in_channels=(40, 112, 192), out_channels=112),
    head=dict(
        type=ResidualPartAffinityHead,
        in_channels=112,
        decoder=codec,
        # Fields have more cells that are not zero.
        heatmap_loss=dict(type=MaskedL2Loss, loss_weight=4.0),
    ),
    test_cfg=dict(flip_test=False, scales=(1.0,), output_maps=True),
)

train_dataloader.update(batch_size=16, num_workers=1)
# People 54 to 261 pixels tall in images of 0.6 to 1.8 times the size of testing.
crop.update(
    input_size=codec.input_size,
    heatmap_size=codec.heatmap_size,
    scale=(0.35, 1.7),
    short_side=(1.0, 3.0),
    rotation=30.0,
)
colour = dict(type=YOLOXHSVRandomAug)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, colour, targets, pack])
# Small people need it: the network sees them 54 pixels tall or taller in training.
resize.update(height=432)
val_dataloader.dataset.update(pipeline=[load, resize, pack_test])
test_dataloader = val_dataloader

steps = 7000  # 25 epochs of COCO-mini
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=AdamW, lr=2e-3, weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1000),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5)), norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.02, begin=0, end=steps // 20, by_epoch=False),
    dict(
        type=CosineAnnealingLR,
        eta_min_ratio=0.001,
        begin=steps // 20,
        end=steps,
        T_max=steps - steps // 20,
        by_epoch=False,
    ),
]
train_cfg = dict(type=IterBasedTrainLoop, max_iters=steps, val_interval=1000)
# The average's horizon is a tenth of the steps.
custom_hooks.append(dict(type=EMAHook, ema_type=GroupedEMA, momentum=10 / steps))
default_hooks.update(checkpoint=dict(by_epoch=False, interval=500))
log_processor = dict(by_epoch=False)
