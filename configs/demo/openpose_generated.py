"""A small OpenPose on synthetic people, from random weights in five minutes on two CPU cores (`make demo`)."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR, OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from torch.optim import AdamW

with read_base():
    from ...projects.lightweight_openpose.configs.lightweight_openpose_coco import *

data_root = data_root.removesuffix('coco/') + 'generated/'
codec.update(input_size=(160, 160), heatmap_size=(20, 20), sigma=6.0, limb_width=6.0)
model.backbone.update(width=0.5, out_channels=64)
model.head.update(in_channels=64, decoder=codec)
model.test_cfg.update(flip_test=True)

train_dataloader.update(batch_size=8, num_workers=1, sampler=dict(type=InfiniteSampler, shuffle=True))
train_dataloader.dataset.update(data_root=data_root)
train_dataloader.dataset.pipeline[1].update(
    input_size=codec.input_size, heatmap_size=codec.heatmap_size, scale=(0.8, 1.8), rotation=5.0, shift=25.0
)
train_dataloader.dataset.pipeline[2].update(encoder=codec)
val_dataloader.update(num_workers=1)
val_dataloader.dataset.update(data_root=data_root)
val_dataloader.dataset.pipeline[1].update(height=240)
val_evaluator.update(ann_file=data_root + val_dataloader.dataset.ann_file)
test_dataloader = val_dataloader
test_evaluator = val_evaluator

optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-3, weight_decay=1e-4), clip_grad=dict(max_norm=100)
)
param_scheduler = dict(type=OneCycleLR, eta_max=2.5e-3, total_steps=2200, pct_start=0.1, by_epoch=False)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=2200, val_interval=2200)
default_hooks.update(logger=dict(interval=20), checkpoint=dict(by_epoch=False, interval=550))
log_processor = dict(by_epoch=False)
