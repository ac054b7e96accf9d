"""Sixteen people of COCO to be overfit: proves targets, decoding and evaluation together.

A config that also reads its network's config updates the loaders with ``training`` and ``validation``.
"""

from mmengine.config import read_base
from mmengine.dataset import InfiniteSampler
from mmengine.optim import OneCycleLR
from mmengine.runner import IterBasedTrainLoop

from custom_modules.metrics import BodyCocoMetric

with read_base():
    from .top_down_coco import data_root

# Of COCO-mini's training people with at least 12 keypoints and 4,608 square pixels who are alone in their image, the
# first sixteen.
people = [0, 11, 20, 21, 31, 69, 72, 78, 93, 110, 127, 133, 150, 151, 165, 203]
annotations = 'annotations/person_keypoints_train2017.json'
# All of them in every batch: from eight at a time coordinates stayed short of AP 0.95.
training = dict(
    batch_size=16,
    num_workers=1,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(indices=people),
)
validation = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(indices=people, ann_file=annotations, data_prefix=dict(img='train2017')),
)
# Unlike CocoMetric, which would miss everybody else.
val_evaluator = dict(type=BodyCocoMetric, ann_file=data_root + annotations, skeleton='classicpose.skeletons.COCO17')
test_evaluator = val_evaluator
param_scheduler = dict(type=OneCycleLR, eta_max=1e-3, total_steps=600, pct_start=0.1, by_epoch=False)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=600, val_interval=100)
log_processor = dict(by_epoch=False)
