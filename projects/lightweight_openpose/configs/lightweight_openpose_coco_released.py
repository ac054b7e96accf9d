"""The input and the channels of Osokin's released checkpoints, for weights that tools/convert_weights.py converts.

The released checkpoint has three refinement stages, of which its author's programs use the first, as here; convert it
with --stages 2. For fine-tuning give the weights as `load_from`.
"""

from mmengine.config import read_base

from classicpose.skeletons import OPENPOSE18_RELEASED

with read_base():
    from .lightweight_openpose_coco import *

codec.update(skeleton=OPENPOSE18_RELEASED, targets='released')
model.head.update(decoder=codec, num_refinements=1)
# BGR, from -0.5 to 0.5; padding is grey, which is 0.
model.data_preprocessor.update(mean=[128.0] * 3, std=[256.0] * 3, bgr_to_rgb=False)
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, crop, targets, pack])
