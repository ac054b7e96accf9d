"""SimplePoseNet, a quarter of the channels, on synthetic people, in minutes on a CPU."""

from mmengine.config import read_base

with read_base():
    from ..simplepose_coco import *

    # isort: split
    from .._base_.synthetic_people import *  # second: it overrides

model.backbone.update(channels=(16, 32, 64))
model.head.update(in_channels=64)
for loader in (train_dataloader, val_dataloader):
    loader.update(num_workers=1, dataset=dict(data_root=data_root))
del loader
train_dataloader.update(batch_size=32)
test_dataloader = val_dataloader
