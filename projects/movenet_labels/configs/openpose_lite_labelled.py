"""The small OpenPose on COCO and on photographs that MoveNet labelled. Train with --amp on CPUs that have bfloat16.

Begins another cycle from the trained network; with --cfg-options load_from=None from ImageNet.
"""

from mmengine.config import read_base

from custom_modules.datasets import BottomUpCocoDataset, CombinedSkeletonDataset

with read_base():
    from ....configs.openpose_lite_coco import *

load_from = 'checkpoints/openpose_lite_coco.pth'
codec.update(input_size=(320, 320), heatmap_size=(40, 40))
model.head.update(decoder=codec)

coco = train_dataloader.dataset
coco.update(pipeline=[load])
# The same sizes of people and images, in pixels, as with crops of 256.
crop.update(input_size=codec.input_size, heatmap_size=codec.heatmap_size, scale=(0.28, 1.36), short_side=(0.8, 2.4))
targets.update(encoder=codec)
train_dataloader.update(batch_size=10)
train_dataloader.dataset = dict(
    type=CombinedSkeletonDataset,
    datasets=[
        coco,
        dict(
            type=BottomUpCocoDataset,
            data_root=data_root.removesuffix('coco/') + 'photographs/',
            ann_file='person_keypoints.json',
            data_prefix=dict(img='images'),
            pipeline=[load],
        ),
    ],
    # About as many samples of the photographs as of COCO-mini.
    sample_ratio_factor=[1.0, 0.4],
    pipeline=[crop, colour, targets, pack],
)

steps = 3500
optim_wrapper.optimizer.update(lr=1e-3)
param_scheduler[0].update(end=steps // 20)
param_scheduler[1].update(begin=steps // 20, end=steps, T_max=steps - steps // 20)
train_cfg.update(max_iters=steps, val_interval=1250)
custom_hooks[-1].update(momentum=10 / steps)
