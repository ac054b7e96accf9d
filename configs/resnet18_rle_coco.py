"""ResNet-18 that regresses positions and learns how its errors are distributed, on COCO (Li et al., ICCV 2021)."""

from mmengine.config import read_base
from mmpose.models import RLELoss

from custom_modules.models import BatchRLEHead

with read_base():
    from .resnet18_regression_coco import *

codec.update(input_size=(192, 256))
model.head = dict(
    type=BatchRLEHead, in_channels=512, num_joints=17, loss=dict(type=RLELoss, use_target_weight=True), decoder=codec
)
affine.update(input_size=codec['input_size'])
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
test_dataloader = val_dataloader
param_scheduler[1].update(milestones=[170, 200])
train_cfg.update(max_epochs=210, val_interval=10)
