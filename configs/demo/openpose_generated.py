"""A small OpenPose on synthetic people, from ImageNet in a minute or two on two CPU cores (`make demo`)."""

from mmengine.config import read_base
from mmengine.optim import OneCycleLR

with read_base():
    from ..openpose_lite_coco import *

iterations = 350
data_root = data_root.removesuffix('coco/') + 'generated/'
codec.update(input_size=(160, 160), heatmap_size=(20, 20), sigma=6.0, limb_width=6.0)
model.neck.update(out_channels=64)
model.head.update(in_channels=64, num_stages=1, decoder=codec)
model.test_cfg.update(flip_test=True)

crop = dict(
    type=CropAroundPerson,
    input_size=codec.input_size,
    heatmap_size=codec.heatmap_size,
    scale=(0.8, 1.8),
    rotation=5.0,
    shift=25.0,
)
targets.update(encoder=codec)
pack.update(meta_keys=('img_id', 'img_path', 'input_size'))
train_dataloader.dataset.update(data_root=data_root, pipeline=[load, crop, targets, pack])
val_dataloader.update(num_workers=1)
resize.update(height=240)
val_dataloader.dataset.update(data_root=data_root, pipeline=[load, resize, pack_test])
val_evaluator.update(ann_file=data_root + val_dataloader.dataset.ann_file)
test_dataloader = val_dataloader
test_evaluator = val_evaluator

optim_wrapper.optimizer.update(lr=3e-3)
param_scheduler = dict(type=OneCycleLR, eta_max=3e-3, total_steps=iterations, pct_start=0.1, by_epoch=False)
train_cfg = dict(type=IterBasedTrainLoop, max_iters=iterations, val_interval=iterations)
custom_hooks.pop()  # an average of so few steps would lag behind
default_hooks.update(logger=dict(interval=20), checkpoint=dict(by_epoch=False, interval=iterations))
