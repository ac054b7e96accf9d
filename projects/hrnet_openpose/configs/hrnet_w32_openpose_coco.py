"""HRNet-W32 with two of OpenPose's stages on COCO: its four branches, joined at stride 8, in place of VGG-19."""

from mmengine.config import read_base
from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from mmpose.models import HRNet
from torch.optim import AdamW

from custom_modules.models import OpenPoseEstimator, OpenPoseHead
from projects.hrnet_openpose import JoinBranches

with read_base():
    from ....configs._base_.affinity_fields_coco import *
    from ....configs._base_.runtime import *


def stage(modules: int, branches: int, block: str = 'BASIC', **settings) -> dict:
    channels = (64,) if branches == 1 else (32, 64, 128, 256)[:branches]
    blocks = (4,) * branches
    return dict(
        num_modules=modules,
        num_branches=branches,
        block=block,
        num_blocks=blocks,
        num_channels=channels,
        **settings,
    )


# Branches of strides 4 to 32 must meet: 384 is a multiple of 32 where 368 is not.
codec.update(input_size=(384, 384), heatmap_size=(48, 48))
crop.update(input_size=codec.input_size, heatmap_size=codec.heatmap_size)
targets.update(encoder=codec)
resize.update(height=384, stride=32)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
val_dataloader.dataset.update(pipeline=[load, resize, pack_test])
test_dataloader = val_dataloader
data_preprocessor.update(pad_size_divisor=32)

model = dict(
    type=OpenPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type=HRNet,
        in_channels=3,
        extra=dict(
            stage1=stage(1, 1, 'BOTTLENECK'),
            stage2=stage(1, 2),
            stage3=stage(4, 3),
            stage4=stage(3, 4, multiscale_output=True),
        ),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmpose/pretrain_models/hrnet_w32-36af842e.pth',
        ),
    ),
    neck=dict(type=JoinBranches),
    head=dict(type=OpenPoseHead, in_channels=32 + 64 + 128 + 256, num_stages=2, decoder=codec),
    test_cfg=dict(flip_test=False, scales=(1.0,), output_maps=True),
)
del stage

# Sums over cells, as MaskedL2Loss has them, need no other rate with Adam: it divides by the gradient's size.
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=5e-4, weight_decay=1e-4, fused=True))
param_scheduler = dict(type=MultiStepLR, by_epoch=False, milestones=[120000, 160000], gamma=0.1)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=180000, val_interval=5000)
default_hooks.update(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
