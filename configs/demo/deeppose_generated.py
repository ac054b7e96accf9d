"""A small cascade on synthetic people in FLIC's format, in minutes on a CPU."""

from mmengine.config import read_base

with read_base():
    from ..deeppose_flic_lite0 import *

for stage, size in zip(model.stages, (80, 48, 48), strict=True):
    stage.update(input_size=size, scale=(0.85, 1.2), rotation=10.0)
    stage.head.update(input_size=(size, size), in_featuremap_size=(size // 16, size // 16))
    stage.head.decoder.update(input_size=(size, size), sigma=size / 32)
del stage, size
model.pop('test_cfg')

train_dataloader.update(batch_size=16)
train_dataloader.dataset.update(pipeline=[load, pack])
param_scheduler.update(total_steps=6)
train_cfg.update(max_epochs=6, val_interval=6)
later = {
    'train_dataloader.batch_size': 4,
    'train_cfg.max_epochs': 1,
    'train_cfg.val_interval': 1,
    'param_scheduler.total_steps': 1,
}
train_stages = [dict(), later, later]
del later
