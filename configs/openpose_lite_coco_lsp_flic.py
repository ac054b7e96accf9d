"""The small OpenPose on three datasets at a time: COCO, LSP Extended and FLIC.

Of LSP Extended's and FLIC's images only the annotated people, their keypoints and the limbs between them count.
"""

from mmengine.config import read_base

from custom_modules.datasets import (
    BottomUpPeopleDataset,
    CombinedSkeletonDataset,
    FlicDataset,
    IgnoreOutsidePeople,
    LspDataset,
)

with read_base():
    from .openpose_lite_coco import *

coco = train_dataloader.dataset
folder = data_root.removesuffix('coco/')
coco.update(pipeline=[load])
ignore = dict(type=IgnoreOutsidePeople)
train_dataloader.dataset = dict(
    type=CombinedSkeletonDataset,
    datasets=[
        coco,
        dict(
            type=BottomUpPeopleDataset,
            dataset=dict(type=LspDataset, data_root=folder + 'lspet/'),
            pipeline=[load, ignore],
        ),
        dict(
            type=BottomUpPeopleDataset,
            # Sides the person's own, as in COCO.
            dataset=dict(type=FlicDataset, data_root=folder + 'flic/', split='train', convention='person'),
            pipeline=[load, ignore],
        ),
    ],
    # Shares of an epoch: for COCO-mini's 4,474 samples 1,500 of LSP's and 540 of FLIC's.
    sample_ratio_factor=[1.0, 0.15, 0.15],
    pipeline=[crop, colour, targets, pack],
)
