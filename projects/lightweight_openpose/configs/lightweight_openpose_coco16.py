"""Sixteen images of COCO overfit: proves targets, masks, decoding and evaluation together, in minutes on a CPU."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR, OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

with read_base():
    from .lightweight_openpose_coco import *

# Of COCO-mini's training images in which everybody has at least 8 keypoints and 4,608 square pixels and no boxes
# overlap: the first eight with one person and the first eight with several.
images = [0, 4, 7, 10, 11, 16, 18, 21, 24, 55, 67, 83, 141, 157, 162, 190]

# Large enough to hold the tallest person whole at the size of testing.
codec.update(input_size=(288, 288), heatmap_size=(36, 36))
model.head.update(decoder=codec)

train_dataloader.update(batch_size=8, num_workers=1, sampler=dict(type=InfiniteSampler, shuffle=True))
crop.update(
    input_size=codec.input_size,
    heatmap_size=codec.heatmap_size,
    scale=(0.4, 1.7),
    rotation=0.0,
    shift=20.0,
    flip_prob=0.0,
)
targets.update(encoder=codec)
train_dataloader.dataset.update(indices=images, pipeline=[load, crop, targets, pack])

val_dataloader.update(num_workers=1)
resize.update(height=288)
val_dataloader.dataset.update(
    ann_file=train_dataloader.dataset.ann_file,
    data_prefix=train_dataloader.dataset.data_prefix,
    indices=images,
    pipeline=[load, resize, pack_test],
)
val_evaluator.update(ann_file=data_root + train_dataloader.dataset.ann_file)
test_dataloader = val_dataloader
test_evaluator = val_evaluator

optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-4, fused=True), clip_grad=dict(max_norm=100)
)
param_scheduler = dict(type=OneCycleLR, eta_max=2e-3, total_steps=2400, pct_start=0.1, by_epoch=False)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=2400, val_interval=800)
default_hooks.update(checkpoint=dict(by_epoch=False, interval=800))
log_processor = dict(by_epoch=False)
