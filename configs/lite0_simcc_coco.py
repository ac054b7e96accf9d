"""EfficientNet-Lite0 from ImageNet and SimCC on COCO (Li et al., ECCV 2022): for CPUs, and nothing to download."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR
from mmpose.codecs import SimCCLabel
from mmpose.models import KLDiscretLoss, TopdownPoseEstimator
from torch.optim import AdamW

from custom_modules.models import BatchSimCCHead, EfficientNetLite

with read_base():
    from ._base_.top_down_coco import *

codec = dict(type=SimCCLabel, input_size=(192, 256), sigma=(4.9, 5.66), simcc_split_ratio=2.0)
data_preprocessor.update(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=EfficientNetLite, frozen_stages=2),
    head=dict(
        type=BatchSimCCHead,
        in_channels=112,
        out_channels=17,
        input_size=codec['input_size'],
        in_featuremap_size=(12, 16),
        simcc_split_ratio=codec['simcc_split_ratio'],
        deconv_out_channels=None,
        loss=dict(type=KLDiscretLoss, use_target_weight=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=True),
)
affine.update(input_size=codec['input_size'])
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
test_dataloader = val_dataloader
train_dataloader.update(batch_size=32)
optim_wrapper.update(optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-2, fused=True), clip_grad=dict(max_norm=1.0))
param_scheduler = dict(
    type=OneCycleLR, eta_max=1e-3, total_steps=20, pct_start=0.2, by_epoch=True, convert_to_iter_based=True
)
train_cfg.update(max_epochs=20, val_interval=5)
