"""OpenPose on COCO: VGG-19, six stages, the released solver's schedule (Cao et al., CVPR 2017)."""

from mmengine.config import read_base
from mmengine.optim import StepLR
from mmengine.runner import IterBasedTrainLoop
from torch.optim import SGD

from custom_modules.engine import GuardedOptimWrapper, OpenPoseOptimWrapperConstructor
from custom_modules.models import OpenPoseEstimator, OpenPoseHead, OpenPoseVGG

with read_base():
    from ._base_.affinity_fields_coco import *
    from ._base_.runtime import *

model = dict(
    type=OpenPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=OpenPoseVGG, weights='imagenet'),
    head=dict(type=OpenPoseHead, in_channels=128, num_stages=6, decoder=codec),
    test_cfg=dict(flip_test=False, scales=(1.0,), output_maps=True),
)

# The learning rate belongs to MaskedL2Loss, a sum over cells, and a batch of 10.
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=SGD, lr=4e-5, momentum=0.9, weight_decay=5e-4, fused=True),
    constructor=OpenPoseOptimWrapperConstructor,
    paramwise_cfg=dict(later_stages_lr_mult=4, bias_lr_mult=2, bias_decay_mult=0),
)
param_scheduler = dict(type=StepLR, by_epoch=False, step_size=136106, gamma=0.333)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=600000, val_interval=5000)
default_hooks.update(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
