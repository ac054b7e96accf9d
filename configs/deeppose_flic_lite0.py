"""DeepPose's cascade on FLIC with EfficientNet-Lite0 from ImageNet and RTMPose's head, for CPUs."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR
from mmpose.codecs import SimCCLabel
from mmpose.datasets.transforms import YOLOXHSVRandomAug
from mmpose.models import KLDiscretLoss
from torch.optim import AdamW

from custom_modules.engine import GuardedOptimWrapper
from custom_modules.models import BatchRTMCCHead, DeepPoseCascade, EfficientNetLite

with read_base():
    from ._base_.deeppose_flic import *


def stage(size: int, **settings) -> dict:
    """For crops of ``size`` pixels; the codec and the loss are as Jiang et al., "RTMPose", 2023, have them."""
    codec = dict(type=SimCCLabel, input_size=(size, size), sigma=size / 32, simcc_split_ratio=2.0, normalize=False)
    return dict(
        input_size=size,
        head=dict(
            type=BatchRTMCCHead,
            in_channels=112,
            out_channels=10,
            input_size=(size, size),
            in_featuremap_size=(size // 16, size // 16),
            simcc_split_ratio=2.0,
            final_layer_kernel_size=7,
            loss=dict(type=KLDiscretLoss, use_target_weight=True, beta=10.0, label_softmax=True),
            decoder=codec,
        ),
        scale=(0.8, 1.25),
        rotation=30.0,
        **settings,
    )


model = dict(
    type=DeepPoseCascade,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=EfficientNetLite, frozen_stages=2),
    stages=[stage(224, shift=0.05), stage(128, side=1.5), stage(128, side=1.0)],
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    test_cfg=dict(flip_test=True, scales=(0.8, 0.9, 1.0, 1.1, 1.2)),
)
del stage
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-2, fused=True),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type=OneCycleLR, eta_max=1e-3, total_steps=30, pct_start=0.2, by_epoch=True, convert_to_iter_based=True
)
train_dataloader.dataset.update(pipeline=[load, dict(type=YOLOXHSVRandomAug), pack])
train_cfg.update(max_epochs=30, val_interval=5)
default_hooks.update(checkpoint=dict(interval=1, save_best='pdj/auc'))
# Ten crops a person.
later = {
    'train_dataloader.batch_size': 8,
    'train_cfg.max_epochs': 4,
    'train_cfg.val_interval': 4,
    'param_scheduler.total_steps': 4,
}
train_stages = [dict(), later, later]
del later
