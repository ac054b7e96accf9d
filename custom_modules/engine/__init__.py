from .collapse import PredictionWatchHook
from .guard import GuardedOptimWrapper
from .hooks import ModelGraphHook, PictureHook
from .optim import OpenPoseOptimWrapperConstructor
from .stages import NextStageHook

__all__ = [
    'GuardedOptimWrapper', 'NextStageHook', 'ModelGraphHook', 'OpenPoseOptimWrapperConstructor', 'PictureHook',
    'PredictionWatchHook',
]  # fmt: skip
