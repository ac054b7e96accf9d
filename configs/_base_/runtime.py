"""What every experiment shares: hooks, logs, checkpoints, images."""

from mmengine.hooks import (
    CheckpointHook,
    DistSamplerSeedHook,
    IterTimerHook,
    LoggerHook,
    ParamSchedulerHook,
)
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend
from mmpose.engine.hooks import PoseVisualizationHook
from mmpose.visualization import PoseLocalVisualizer

from custom_modules.engine import DataOnlyHook, ModelGraphHook, PredictionImageHook

default_scope = 'mmpose'
default_hooks = dict(
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    checkpoint=dict(type=CheckpointHook, interval=1, max_keep_ckpts=1, save_best='coco/AP', rule='greater'),
    sampler_seed=dict(type=DistSamplerSeedHook),
    data_only=dict(type=DataOnlyHook),  # for MMPose's tools/train.py: PoseRunner has it with any config
    # What MMPose's tools/test.py switches on with --show-dir.
    visualization=dict(type=PoseVisualizationHook, enable=False),
)
custom_hooks = [dict(type=PredictionImageHook), dict(type=ModelGraphHook)]
visualizer = dict(
    type=PoseLocalVisualizer,
    name='visualizer',
    vis_backends=[dict(type=LocalVisBackend), dict(type=TensorboardVisBackend)],
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_level = 'INFO'
