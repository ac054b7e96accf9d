"""DeepPose's AlexNet cascade on FLIC for CPUs: batch norm, L1 loss, AdamW, later stages at 108 pixels."""

from mmengine.config import read_base
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmpose.codecs import SimCCLabel
from mmpose.datasets.transforms import YOLOXHSVRandomAug
from mmpose.models import KLDiscretLoss, L1Loss, RegressionHead, SimCCHead
from torch.optim import AdamW

from custom_modules.codecs import DeepPoseLabel
from custom_modules.engine import GuardedOptimWrapper
from custom_modules.models import DeepPoseAlexNet, DeepPoseCascade

with read_base():
    from ._base_.deeppose_flic import *


def stage(size: int, maps: int, weight: float, **settings) -> dict:
    """For crops of ``size`` pixels, of which the fifth convolution makes ``maps`` x ``maps`` values.

    The coordinates' loss alone teaches the convolutions slowly: ``weight`` leaves most of that to the auxiliary head.
    """
    codec = dict(type=SimCCLabel, input_size=(size, size), sigma=size / 32, simcc_split_ratio=2.0)
    return dict(
        input_size=size,
        head=dict(
            type=RegressionHead,
            in_channels=4096,
            num_joints=10,
            loss=dict(type=L1Loss, use_target_weight=True, loss_weight=weight),
            decoder=dict(type=DeepPoseLabel, input_size=(size, size)),
        ),
        auxiliary_head=dict(
            type=SimCCHead,
            in_channels=256,
            out_channels=10,
            input_size=(size, size),
            in_featuremap_size=(maps, maps),
            simcc_split_ratio=2.0,
            deconv_out_channels=None,
            loss=dict(type=KLDiscretLoss, use_target_weight=True),
            decoder=codec,
        ),
        scale=(0.85, 1.2),
        rotation=30.0,
        **settings,
    )


model = dict(
    type=DeepPoseCascade,
    data_preprocessor=data_preprocessor,
    # Dropout blurs coordinates: with 0.3 they stayed 20 points of PDJ@0.1 behind.
    backbone=dict(type=DeepPoseAlexNet, batch_norm=True, dropout=0.0),
    stages=[stage(220, 13, 0.2, shift=0.05), stage(108, 6, 1.0, side=1.4), stage(108, 6, 1.0, side=1.0)],
    test_cfg=dict(flip_test=True, scales=(0.8, 0.9, 1.0, 1.1, 1.2)),
)
del stage
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-2, fused=True),
    # Adam moves every weight alike, and these sum thousands of inputs.
    paramwise_cfg=dict(custom_keys={'fully_connected': dict(lr_mult=0.1)}),
    clip_grad=dict(max_norm=1.0),
)
# Not one cycle, which knows no group's own rate.
param_scheduler = [
    dict(type=LinearLR, start_factor=0.04, begin=0, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type=CosineAnnealingLR, begin=1, end=40, T_max=39, by_epoch=True, convert_to_iter_based=True),
]
train_dataloader.dataset.update(pipeline=[load, dict(type=YOLOXHSVRandomAug), pack])
train_cfg.update(max_epochs=40, val_interval=8)
default_hooks.update(checkpoint=dict(interval=1, save_best='pdj/auc'))
train_dataloader.update(batch_size=32)
# Ten crops a person.
later = {
    'train_dataloader.batch_size': 8,
    'train_cfg.max_epochs': 4,
    'train_cfg.val_interval': 2,
    'param_scheduler.0.end': 0.2,
    'param_scheduler.1.begin': 0.2,
    'param_scheduler.1.end': 4,
    'param_scheduler.1.T_max': 3.8,
}
train_stages = [dict(), later, later]
del later
