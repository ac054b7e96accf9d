"""SimplePoseNet on COCO: three convolutions and a transposed one, 256 x 256 pixels to heatmaps of 64 x 64 cells."""

from mmengine.config import read_base
from mmpose.codecs import MSRAHeatmap
from mmpose.models import KeypointMSELoss, TopdownPoseEstimator

from custom_modules.models import BatchHeatmapHead, SimplePoseNet

with read_base():
    from ._base_.top_down_coco import *

codec = dict(type=MSRAHeatmap, input_size=(256, 256), heatmap_size=(64, 64), sigma=2.0)
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=SimplePoseNet),
    head=dict(
        type=BatchHeatmapHead,
        in_channels=256,
        out_channels=17,
        deconv_out_channels=None,
        final_layer=dict(type='deconv', kernel_size=4, stride=2, padding=1),
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
