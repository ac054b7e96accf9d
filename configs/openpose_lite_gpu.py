"""The small OpenPose on a GPU: crops of 368 pixels in batches of 64, COCO and LSP Extended. Train with --amp.

Begins another cycle from the trained network; with --cfg-options load_from=None from ImageNet.
"""

from mmengine.config import read_base

with read_base():
    from .openpose_lite_coco_lsp_flic import *

load_from = 'checkpoints/openpose_lite_coco.pth'
codec.update(input_size=(368, 368), heatmap_size=(46, 46))
model.head.update(decoder=codec)
train_dataloader.update(batch_size=64, num_workers=14)
load.update(cache=3.0)  # holds the images of COCO-mini, or of LSP Extended
coco, lspet, _ = train_dataloader.dataset.datasets
coco.update(pipeline=[load])
lspet.update(pipeline=[load, ignore])
# The same sizes of people and images, in pixels, as with crops of 256.
crop.update(input_size=codec.input_size, heatmap_size=codec.heatmap_size, scale=(0.24, 1.18), short_side=(0.7, 2.1))
targets.update(encoder=codec)
train_dataloader.dataset.update(
    datasets=[coco, lspet], sample_ratio_factor=[1.0, 0.2], pipeline=[crop, colour, targets, pack]
)
del lspet, _
steps = 3300
optim_wrapper.optimizer.update(lr=3e-3)
param_scheduler[0].update(end=steps // 25)
param_scheduler[1].update(begin=steps // 25, end=steps, T_max=steps - steps // 25)
train_cfg.update(max_iters=steps, val_interval=1100)
custom_hooks[-1].update(momentum=10 / steps)
