"""Synthetic people instead of COCO, and a schedule for them, for small single-person networks on two CPU cores.

A config that also reads its network's config gives ``data_root`` to the loaders.
"""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR
from mmengine.runner import EpochBasedTrainLoop

from custom_modules.metrics import CheckedCocoMetric

with read_base():
    from .top_down_coco import data_root

data_root = data_root.removesuffix('coco/') + 'generated/'
val_evaluator = dict(type=CheckedCocoMetric, ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
param_scheduler = dict(
    type=OneCycleLR, eta_max=2e-3, total_steps=6, pct_start=0.2, by_epoch=True, convert_to_iter_based=True
)
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=6, val_interval=3)
