from .guard import GuardedOptimWrapper
from .hooks import ModelGraphHook, PictureHook
from .optim import OpenPoseOptimWrapperConstructor
from .stages import MeasureErrorsHook

__all__ = [
    'GuardedOptimWrapper', 'MeasureErrorsHook', 'ModelGraphHook', 'OpenPoseOptimWrapperConstructor', 'PictureHook',
]  # fmt: skip
