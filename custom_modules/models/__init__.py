from .backbones import DeepPoseAlexNet, OpenPoseVGG
from .heads import OpenPoseHead, PartAffinityHead
from .losses import MaskedL2Loss
from .pose_estimators import DeepPoseCascade, OpenPoseEstimator

__all__ = [
    'DeepPoseAlexNet', 'DeepPoseCascade', 'MaskedL2Loss', 'OpenPoseEstimator', 'OpenPoseHead', 'OpenPoseVGG',
    'PartAffinityHead',
]  # fmt: skip
