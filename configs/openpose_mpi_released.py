"""The network, the input and the decoder of OpenPose's released model MPI, for weights that tools/convert_weights.py
converts.
"""

from mmengine.config import read_base

from classicpose.skeletons import MPI15

with read_base():
    from .openpose_coco_released import *

# OpenPose's thresholds for this model.
codec.update(skeleton=MPI15, decoder=dict(base='openpose', peak_threshold=0.6, paf_threshold=0.01))
model.head.update(decoder=codec)
train_dataloader.dataset.update(skeleton=MPI15)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
val_dataloader.dataset.update(skeleton=MPI15)
test_dataloader = val_dataloader
val_evaluator.update(skeleton=MPI15)
test_evaluator = val_evaluator
