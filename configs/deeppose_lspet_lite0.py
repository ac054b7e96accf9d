"""DeepPose's cascade on whole bodies: LSP Extended, the full image as the first box, as the paper has it."""

from mmengine.config import read_base

from classicpose.skeletons import LSP14
from custom_modules.datasets import LspDataset

with read_base():
    from .deeppose_flic_lite0 import *

data_root = data_root.removesuffix('flic/') + 'lspet/'
lspet = dict(type=LspDataset, data_root=data_root, pipeline=[load, pack])
for loader, split in ((train_dataloader, 'train'), (val_dataloader, 'val'), (test_dataloader, 'val')):
    loader.update(dataset=dict(loader.dataset, **lspet, split=split))
del lspet, loader, split

model.update(skeleton=LSP14, test_cfg=dict(flip_test=True))
# Crops as wide as the errors of the stage before ask for: their deviation is half a torso, more at wrists and ankles.
for stage, size, side in zip(model.stages, (160, 96, 96), (None, 3.0, 2.0), strict=True):
    stage.update(input_size=size, rotation=20.0, side=side)
    stage.head.update(out_channels=14, input_size=(size, size), in_featuremap_size=(size // 16, size // 16))
    stage.head.decoder.update(input_size=(size, size), sigma=size / 32)
del stage, size, side
val_evaluator = [dict(type=PDJ, skeleton=LSP14), dict(type=PCP, skeleton=LSP14)]
for metric in test_evaluator:
    metric.update(skeleton=LSP14)
del metric
# Fourteen crops a person in later stages.
train_cfg.update(max_epochs=12, val_interval=3)
param_scheduler.update(total_steps=12)
for later in train_stages[1:]:
    later.update({'train_dataloader.batch_size': 6, 'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 2})
    later.update({'param_scheduler.total_steps': 2})
del later
