"""Sixteen people of COCO overfit: SimplePoseNet."""

from mmengine.config import read_base

with read_base():
    from .simplepose_coco import *

    # isort: split
    from ._base_.overfit_coco16 import *  # second: it overrides

train_dataloader.update(training)
train_dataloader.dataset.update(pipeline=[load, box, affine, targets, pack])  # neither flips nor moved boxes
model.test_cfg.update(flip_test=False)  # nor mirrored people in the test
val_dataloader.update(validation)
test_dataloader = val_dataloader
default_hooks.update(checkpoint=dict(by_epoch=False, interval=250))
param_scheduler.update(total_steps=500)
train_cfg.update(max_iters=500, val_interval=250)
