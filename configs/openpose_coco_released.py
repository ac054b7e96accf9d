"""The network and the input of the released OpenPose COCO model, for weights that tools/convert_weights.py converts.

For fine-tuning give them as `load_from`.
"""

from mmengine.config import read_base

from classicpose.skeletons import OPENPOSE18_RELEASED

with read_base():
    from .openpose_coco import *

codec.update(skeleton=OPENPOSE18_RELEASED, targets='released')
model.backbone.update(weights=None)  # ImageNet's expect another normalisation
model.head.update(decoder=codec)
# BGR, from -0.5 to 0.5; padding is grey, which is 0.
model.data_preprocessor.update(mean=[128.0] * 3, std=[256.0] * 3, bgr_to_rgb=False)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
