"""OpenPose's hand network on COCO-WholeBody (Simon et al., CVPR 2017): right hands, and left ones mirrored."""

from mmengine.config import read_base

from classicpose.skeletons import HAND21
from custom_modules.datasets import HandDataset, MirrorLeftHand

with read_base():
    from ._base_.hand_or_face_coco_wholebody import *

codec.update(skeleton=HAND21)
model.head.update(decoder=codec)
targets.update(encoder=codec)
mirror = dict(type=MirrorLeftHand)
dataset_type = 'HandDataset'
hands = dict(type=HandDataset, box_factor=2.2)
# No flip: there are no left hands.
train_dataloader.dataset.update(**hands, pipeline=[load, mirror, box, move, affine, targets, pack])
val_dataloader.dataset.update(**hands, pipeline=[load, mirror, box, affine, pack_test])
del hands
test_dataloader = val_dataloader
