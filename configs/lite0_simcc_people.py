"""Looks again at people whom another network found: EfficientNet-Lite0, a small pyramid and RTMPose's head (SimCC).

Begins from the small OpenPose, whose first stages stay as they are. Of COCO-mini, 200 training images are left out and
are the validation set. The small OpenPose was trained on them, so AP is far too high there, and only comparable between
networks that begin from it: 0.397 where the test set gave 0.278. Train with --amp on CPUs that compute in bfloat16.
"""

from mmengine.config import read_base
from mmengine.hooks import EMAHook
from mmpose.datasets.transforms import RandomHalfBody, YOLOXHSVRandomAug

from custom_modules.engine import GroupedEMA, GroupedOptimWrapperConstructor
from custom_modules.models import ConfidentRTMCCHead, FinestLevelFPN

with read_base():
    from .lite0_simcc_coco import *

selection = 'configs/coco_mini_selection.txt'
load_from = 'checkpoints/openpose_lite_coco.pth'
codec.update(input_size=(144, 192), sigma=(4.24, 4.9))
model.backbone.update(out_indices=(4, 5), frozen_stages=3)
model.neck = dict(type=FinestLevelFPN, in_channels=(112, 192), out_channels=112)
model.head.pop('deconv_out_channels')
model.head.update(
    type=ConfidentRTMCCHead,
    input_size=codec['input_size'],
    in_featuremap_size=(9, 12),
    final_layer_kernel_size=5,
    gau_cfg=dict(
        hidden_dims=256,
        s=128,
        expansion_factor=2,
        dropout_rate=0.0,
        drop_path=0.0,
        act_fn='SiLU',
        use_rel_bias=False,
        pos_enc=False,
    ),
    decoder=codec,
)
model.test_cfg.update(flip_test=False)

# Boxes of people who were found are not as exact as annotated ones, and end where the person was cut off.
half = dict(type=RandomHalfBody, prob=0.2, padding=1.25)
move.update(shift_factor=0.12, shift_prob=0.6, scale_factor=(0.7, 1.4))
affine.update(input_size=codec['input_size'])
colors = dict(type=YOLOXHSVRandomAug)
targets.update(encoder=codec)
train_dataloader.update(num_workers=1)
train_dataloader.dataset.update(
    without_images=selection, pipeline=[load, box, flip, half, move, affine, colors, targets, pack]
)
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader['dataset'], data_prefix=dict(img='val2017')))
val_dataloader.dataset.update(
    ann_file='annotations/person_keypoints_train2017.json', data_prefix=dict(img='train2017'), only_images=selection
)
val_evaluator = dict(
    type=CheckedCocoMetric,
    ann_file=data_root + 'annotations/person_keypoints_train2017.json',
    only_images=selection,
)

epochs = 30
optim_wrapper.update(
    optimizer=dict(lr=1.2e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5.0),
    constructor=GroupedOptimWrapperConstructor,
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.5)), norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler.update(eta_max=1.2e-3, total_steps=epochs, pct_start=0.05)
train_cfg.update(max_epochs=epochs, val_interval=3)
custom_hooks.append(dict(type=EMAHook, ema_type=GroupedEMA, momentum=0.003))
