"""A small cascade on drawn people in FLIC's format, in minutes on a CPU."""

from mmengine.config import read_base

with read_base():
    from ..deeppose_flic_resnet18 import *

# A quarter of the channels, smaller crops.
for stage, size in zip(model.stages, (64, 48, 48), strict=True):
    stage.update(input_size=size, scale=(0.85, 1.2), rotation=10.0)
    stage.backbone.update(base_channels=16, stem_channels=16)
    stage.head.update(in_channels=64, input_size=(size, size), in_featuremap_size=(size // 16, size // 16))
    stage.head.decoder.update(input_size=(size, size), sigma=size / 32)
del stage, size
model.pop('test_cfg')

optim_wrapper.optimizer.update(lr=3e-3)
param_scheduler.update(eta_max=3e-3, total_steps=10)
train_cfg.update(max_epochs=10, val_interval=5)
default_hooks.checkpoint.update(interval=5)
train_stages = [
    dict(),
    {'train_cfg.max_epochs': 5, 'param_scheduler.total_steps': 5},
    {'train_cfg.max_epochs': 5, 'param_scheduler.total_steps': 5},
]
