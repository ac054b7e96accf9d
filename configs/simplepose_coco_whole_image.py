"""SimplePoseNet on full images of COCO, one person an image, the largest: no box is needed to predict.

Validation counts the others as missed, so its AP stays far below that of people in their boxes.
"""

from mmengine.config import read_base

with read_base():
    from .simplepose_coco import *

for loader in (train_dataloader, val_dataloader):
    loader.dataset.update(whole_image=True)
    loader.dataset.pipeline[1].update(padding=1.0)
del loader
test_dataloader = val_dataloader
