from .hooks import ModelGraphHook, PictureHook
from .optim import OpenPoseOptimWrapperConstructor

__all__ = ['ModelGraphHook', 'OpenPoseOptimWrapperConstructor', 'PictureHook']
