"""SimplePoseNet on full images of COCO, one person an image, the largest: no box is needed to predict.

Validation counts the others as missed, so its AP stays far below that of people in their boxes.
"""

from mmengine.config import read_base

with read_base():
    from .simplepose_coco import *

box.update(padding=1.0)
train_dataloader.dataset.update(whole_image=True, pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(whole_image=True, pipeline=[load, box, affine, pack_test])
test_dataloader = val_dataloader
