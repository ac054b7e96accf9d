"""A small BODY_25 with feet on synthetic people: the stages of 2019 on EfficientNet-Lite0, in minutes on a CPU core."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR

from classicpose.skeletons import BODY25, COCO23
from custom_modules.metrics import BodyCocoMetric, FootCocoMetric
from custom_modules.models import OpenPose2019Head

with read_base():
    from .openpose_generated import *

iterations = 600
codec.update(input_size=(192, 192), heatmap_size=(24, 24), sigma=5.0, limb_width=5.0, skeleton=BODY25)
model.head = dict(
    type=OpenPose2019Head,
    in_channels=64,
    paf_stages=1,
    heatmap_stages=1,
    widths=(32, 32),
    hidden=(128, 128),
    decoder=codec,
)

crop.update(input_size=codec.input_size, heatmap_size=codec.heatmap_size, scale=(0.7, 1.8))
targets.update(encoder=codec)
pack.update(meta_keys=('img_id', 'img_path', 'input_size', 'annotated_keypoints'))
resize.update(height=320)
feet = dict(skeleton=BODY25, annotated=COCO23)
train_dataloader.dataset.update(
    **feet, ann_file='annotations/coco_wholebody_train_v1.0.json', pipeline=[load, crop, targets, pack]
)
val_dataloader.dataset.update(
    **feet, ann_file='annotations/coco_wholebody_val_v1.0.json', pipeline=[load, resize, pack_test]
)
del feet
test_dataloader = val_dataloader
val_evaluator = [
    dict(type=BodyCocoMetric, ann_file=data_root + val_dataloader.dataset.ann_file, skeleton=BODY25),
    dict(type=FootCocoMetric, ann_file=data_root + val_dataloader.dataset.ann_file, skeleton=BODY25),
]
test_evaluator = val_evaluator

param_scheduler.update(total_steps=iterations)
train_cfg.update(max_iters=iterations, val_interval=iterations)
default_hooks.checkpoint.update(interval=iterations)
