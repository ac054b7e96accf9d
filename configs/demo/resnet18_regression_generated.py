"""ResNet-18 with coordinates, a quarter of the channels, on synthetic people, in minutes on a CPU."""

from mmengine.config import read_base

with read_base():
    from ..resnet18_regression_coco import *

    # isort: split
    from .._base_.synthetic_people import *  # second: it overrides

model.backbone.update(base_channels=16, stem_channels=16)
model.backbone.pop('init_cfg')
model.head.update(in_channels=128)
for loader in (train_dataloader, val_dataloader):
    loader.update(num_workers=1, dataset=dict(data_root=data_root))
del loader
train_dataloader.update(batch_size=32)
test_dataloader = val_dataloader
