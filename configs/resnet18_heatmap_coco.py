"""ResNet-18 from ImageNet and three transposed convolutions on COCO (Xiao et al., "Simple baselines", ECCV 2018)."""

from mmengine.config import read_base
from mmpose.codecs import MSRAHeatmap
from mmpose.models import KeypointMSELoss, ResNet, TopdownPoseEstimator

from custom_modules.models import BatchHeatmapHead

with read_base():
    from ._base_.top_down_coco import *

codec = dict(type=MSRAHeatmap, input_size=(192, 256), heatmap_size=(48, 64), sigma=2.0)
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=ResNet, depth=18, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    head=dict(
        type=BatchHeatmapHead,
        in_channels=512,
        out_channels=17,
        deconv_out_channels=(256, 256, 256),
        deconv_kernel_sizes=(4, 4, 4),
        loss=dict(type=KeypointMSELoss, use_target_weight=True),
        decoder=codec,
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)
affine.update(input_size=codec['input_size'])
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
test_dataloader = val_dataloader
optim_wrapper.optimizer.update(lr=5e-4)
param_scheduler[1].update(milestones=[90, 120])
train_cfg.update(max_epochs=140, val_interval=10)
