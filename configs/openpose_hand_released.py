"""The network and the input of OpenPose's released hand model, for weights that tools/convert_weights.py converts."""

from mmengine.config import read_base

with read_base():
    from .openpose_hand_coco_wholebody import *

model.backbone.update(weights=None)  # ImageNet's expect another normalisation
# BGR, from -0.5 to 0.5.
model.data_preprocessor.update(mean=[128.0] * 3, std=[256.0] * 3, bgr_to_rgb=False)
