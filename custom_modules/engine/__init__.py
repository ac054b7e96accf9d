from .hooks import ModelGraphHook, PredictionCheckHook, PredictionImageHook
from .optim import BFloat16OptimWrapper, GuardedOptimWrapper, OpenPoseOptimWrapperConstructor
from .stages import NextStageHook

__all__ = [
    'BFloat16OptimWrapper', 'GuardedOptimWrapper', 'ModelGraphHook', 'NextStageHook',
    'OpenPoseOptimWrapperConstructor', 'PredictionImageHook', 'PredictionCheckHook',
]  # fmt: skip
