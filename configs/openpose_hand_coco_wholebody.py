"""OpenPose's hand network on COCO-WholeBody (Simon et al., CVPR 2017): right hands, and left ones mirrored."""

from mmengine.config import read_base

from classicpose.skeletons import HAND21
from custom_modules.datasets import MirrorLeftHand

with read_base():
    from ._base_.hand_or_face_coco_wholebody import *

codec.update(skeleton=HAND21)
model.head.update(decoder=codec)
train_dataloader.dataset.update(part='hand', box_factor=2.2)
train_dataloader.dataset.pipeline[-2].update(encoder=codec)
train_dataloader.dataset.pipeline.pop(2)  # no flip: there are no left hands
train_dataloader.dataset.pipeline.insert(1, dict(type=MirrorLeftHand))
val_dataloader.dataset.update(part='hand', box_factor=2.2)
val_dataloader.dataset.pipeline.insert(1, dict(type=MirrorLeftHand))
test_dataloader = val_dataloader
