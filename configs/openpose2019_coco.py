"""OpenPose's network of 2019 on COCO: fields first, heatmaps after, dense 3x3 blocks (Cao et al., TPAMI 2019)."""

from mmengine.config import read_base
from torch.optim import Adam

from custom_modules.models import OpenPose2019Head

with read_base():
    from .openpose_coco import *

model.backbone.update(prelu=True)
model.head = dict(type=OpenPose2019Head, in_channels=128, paf_stages=4, heatmap_stages=2, decoder=codec)

crop.update(scale=(1 / 3, 1.5), rotation=45.0)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
optim_wrapper.optimizer = dict(type=Adam, lr=5e-5, weight_decay=5e-4)
param_scheduler.update(step_size=200000, gamma=0.5)
train_cfg.update(max_iters=800000)
