from .backbones import OpenPoseVGG
from .heads import OpenPoseHead, PartAffinityHead
from .losses import MaskedL2Loss
from .pose_estimators import OpenPoseEstimator

__all__ = ['MaskedL2Loss', 'OpenPoseEstimator', 'OpenPoseHead', 'OpenPoseVGG', 'PartAffinityHead']
