"""DeepPose on FLIC as published: AlexNet at 220 pixels, three stages, no batch norm, no pretraining."""

from mmengine.config import read_base
from mmengine.hooks import EarlyStoppingHook
from mmengine.optim import ReduceOnPlateauParamScheduler
from mmpose.models import MSELoss, RegressionHead
from torch.optim import Adam

from custom_modules.codecs import DeepPoseLabel
from custom_modules.engine import GuardedOptimWrapper
from custom_modules.models import DeepPoseAlexNet, DeepPoseCascade

with read_base():
    from ._base_.deeppose_flic import *


def stage(**settings) -> dict:
    return dict(
        input_size=220,
        head=dict(
            type=RegressionHead,
            in_channels=4096,
            num_joints=10,
            loss=dict(type=MSELoss, use_target_weight=True),
            decoder=dict(type=DeepPoseLabel, input_size=(220, 220)),
        ),
        **settings,
    )


model = dict(
    type=DeepPoseCascade,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=DeepPoseAlexNet),
    # Five crops of a person an epoch, then 40: four of each joint.
    stages=[
        stage(copies=5, shift=0.03, scale=(0.95, 1.05)),
        stage(copies=4, side=1.0, scale=(0.95, 1.05)),
        stage(copies=4, side=1.0, scale=(0.95, 1.05)),
    ],
)
del stage
optim_wrapper = dict(
    type=GuardedOptimWrapper,
    optimizer=dict(type=Adam, lr=5e-5, weight_decay=1e-5, fused=True),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type=ReduceOnPlateauParamScheduler,
    param_name='lr',
    monitor='pdj/auc',
    rule='greater',
    factor=0.5,
    patience=5,
    min_value=1e-6,
)
default_hooks.update(checkpoint=dict(save_best='pdj/auc'))
custom_hooks = [
    dict(type=NextStageHook),
    dict(type=EarlyStoppingHook, monitor='pdj/auc', rule='greater', patience=10, min_delta=1e-4),
]
# About 128 crops: 26 people, 5 of each; 3 people, 40 of each.
train_dataloader.update(batch_size=26)
train_stages = [dict(), {'train_dataloader.batch_size': 3}, {'train_dataloader.batch_size': 3}]
