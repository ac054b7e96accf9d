"""OpenPose's face network on COCO-WholeBody, in the form of its hand network (Simon et al., CVPR 2017)."""

from mmengine.config import read_base

from classicpose.skeletons import FACE70
from custom_modules.datasets import FaceDataset

with read_base():
    from ._base_.hand_or_face_coco_wholebody import *

codec.update(skeleton=FACE70)
model.head.update(decoder=codec)
targets.update(encoder=codec)
dataset_type = 'FaceDataset'
faces = dict(type=FaceDataset, box_factor=1.4)
train_dataloader.dataset.update(**faces, pipeline=[load, box, flip, move, affine, targets, pack])
val_dataloader.dataset.update(**faces, pipeline=[load, box, affine, pack_test])
del faces
test_dataloader = val_dataloader
