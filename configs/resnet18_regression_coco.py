"""ResNet-18 from ImageNet and a linear layer to 17 positions on COCO: 224 x 224 pixels to coordinates from 0 to 1."""

from mmengine.config import read_base
from mmpose.codecs import RegressionLabel
from mmpose.models import GlobalAveragePooling, ResNet, SmoothL1Loss, TopdownPoseEstimator

from custom_modules.models import BatchRegressionHead

with read_base():
    from ._base_.top_down_coco import *

codec = dict(type=RegressionLabel, input_size=(224, 224))
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=ResNet, depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=BatchRegressionHead,
        in_channels=512,
        num_joints=17,
        loss=dict(type=SmoothL1Loss, use_target_weight=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=True, shift_coords=True),
)
affine.update(input_size=codec['input_size'])
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
test_dataloader = val_dataloader
optim_wrapper.optimizer.update(lr=5e-4)
