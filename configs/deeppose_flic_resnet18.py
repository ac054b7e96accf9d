"""DeepPose's cascade on FLIC with ResNet-18 and SimCC coordinates, small enough for two CPU cores."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR
from mmpose.codecs import SimCCLabel
from mmpose.models import KLDiscretLoss, ResNet, SimCCHead
from torch.optim import AdamW

from custom_modules.engine import GuardedOptimWrapper
from custom_modules.models import DeepPoseCascade

with read_base():
    from ._base_.deeppose_flic import *


def stage(size: int, **settings) -> dict:
    """ResNet-18 up to stride 16 on crops of ``size`` pixels."""
    codec = dict(type=SimCCLabel, input_size=(size, size), sigma=size / 32, simcc_split_ratio=2.0)
    return dict(
        input_size=size,
        head=dict(
            type=SimCCHead,
            in_channels=256,
            out_channels=10,
            input_size=(size, size),
            in_featuremap_size=(size // 16, size // 16),
            simcc_split_ratio=2.0,
            deconv_out_channels=None,
            loss=dict(type=KLDiscretLoss, use_target_weight=True),
            decoder=codec,
        ),
        **settings,
    )


model = dict(
    type=DeepPoseCascade,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=ResNet, depth=18, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,)),
    stages=[
        stage(128, shift=0.05, scale=(0.8, 1.25), rotation=20.0),
        stage(64, side=1.2, scale=(0.8, 1.25), rotation=20.0),
        stage(64, side=0.8, scale=(0.8, 1.25), rotation=20.0),
    ],
    test_cfg=dict(flip_test=True),
)
del stage
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=AdamW, lr=2e-3, weight_decay=1e-2, fused=True),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type=OneCycleLR, eta_max=2e-3, total_steps=20, pct_start=0.2, by_epoch=True, convert_to_iter_based=True
)
train_cfg.update(max_epochs=20, val_interval=2)
default_hooks.update(checkpoint=dict(interval=2, save_best='pdj/auc'))
train_stages = [
    dict(),
    {'train_cfg.max_epochs': 6, 'param_scheduler.total_steps': 6, 'param_scheduler.eta_max': 1e-3},
    {'train_cfg.max_epochs': 6, 'param_scheduler.total_steps': 6, 'param_scheduler.eta_max': 1e-3},
]
