from .averaging import GroupedEMA
from .checkpoints import DataOnlyHook
from .hooks import ModelGraphHook, PredictionCheckHook, PredictionImageHook
from .mixed_precision import BFloat16OptimWrapper
from .optim import GroupedOptimWrapperConstructor, GuardedOptimWrapper, OpenPoseOptimWrapperConstructor
from .stages import NextStageHook

__all__ = [
    'BFloat16OptimWrapper', 'DataOnlyHook', 'GroupedEMA', 'GroupedOptimWrapperConstructor', 'GuardedOptimWrapper',
    'ModelGraphHook', 'NextStageHook', 'OpenPoseOptimWrapperConstructor', 'PredictionCheckHook', 'PredictionImageHook',
]  # fmt: skip
