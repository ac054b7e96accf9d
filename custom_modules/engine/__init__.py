from .hooks import ModelGraphHook, PredictionCheckHook, PredictionImageHook
from .optim import (
    BFloat16OptimWrapper,
    GroupedOptimWrapperConstructor,
    GuardedOptimWrapper,
    OpenPoseOptimWrapperConstructor,
)
from .stages import NextStageHook

__all__ = [
    'BFloat16OptimWrapper', 'GroupedOptimWrapperConstructor', 'GuardedOptimWrapper', 'ModelGraphHook', 'NextStageHook',
    'OpenPoseOptimWrapperConstructor', 'PredictionImageHook', 'PredictionCheckHook',
]  # fmt: skip
