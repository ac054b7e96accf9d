"""Sixteen people of COCO overfit: ResNet-18 with heatmaps."""

from mmengine.config import read_base

with read_base():
    from .resnet18_heatmap_coco import *

    # isort: split
    from ._base_.overfit_coco16 import *  # second: it overrides

model.backbone.pop('init_cfg')  # nothing to download
train_dataloader.update(training)
train_dataloader.dataset.update(pipeline=[load, box, affine, targets, pack])  # neither flips nor moved boxes
model.test_cfg.update(flip_test=False)  # nor mirrored people in the test
val_dataloader.update(validation)
test_dataloader = val_dataloader
default_hooks.update(checkpoint=dict(by_epoch=False, interval=100))
# Maps are learnt much faster than coordinates, and from eight people at a time.
train_dataloader.update(batch_size=8)
param_scheduler.update(total_steps=200)
train_cfg.update(max_iters=200)
