"""Sixteen people of COCO overfit: ResNet-18 with residual log-likelihood."""

from mmengine.config import read_base

with read_base():
    from .resnet18_rle_coco import *

    # isort: split
    from ._base_.overfit_coco16 import *  # second: it overrides

model.backbone.pop('init_cfg')  # nothing to download
train_dataloader.update(training)
train_dataloader.dataset.update(pipeline=[load, box, affine, targets, pack])  # neither flips nor moved boxes
model.test_cfg.update(flip_test=False)  # nor mirrored people in the test
val_dataloader.update(validation)
test_dataloader = val_dataloader
default_hooks.update(checkpoint=dict(by_epoch=False, interval=100))
# The better the positions are known, the steeper the likelihood: at 1e-3 it loses again and again what it has learnt.
param_scheduler.update(eta_max=3e-4, total_steps=300)
train_cfg.update(max_iters=300)
