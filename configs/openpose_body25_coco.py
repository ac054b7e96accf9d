"""OpenPose's model BODY_25 on COCO with feet: the network of 2019, COCO-WholeBody's annotations or a file of 17 + 6."""

from mmengine.config import read_base

from classicpose.skeletons import BODY25, COCO23
from custom_modules.metrics import BodyCocoMetric, FootCocoMetric

with read_base():
    from .openpose2019_coco import *

codec.update(skeleton=BODY25)
model.head.update(decoder=codec)
train_dataloader.dataset.update(
    ann_file='annotations/coco_wholebody_train_v1.0.json', skeleton=BODY25, annotated=COCO23
)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
val_dataloader.dataset.update(ann_file='annotations/coco_wholebody_val_v1.0.json', skeleton=BODY25, annotated=COCO23)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type=BodyCocoMetric, ann_file=data_root + val_dataloader.dataset.ann_file, skeleton=BODY25),
    dict(type=FootCocoMetric, ann_file=data_root + val_dataloader.dataset.ann_file, skeleton=BODY25),
]
test_evaluator = val_evaluator
