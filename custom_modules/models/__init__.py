from .backbones import DeepPoseAlexNet, EfficientNetLite, OpenPoseVGG, SimplePoseNet
from .heads import OpenPoseHead, PartAffinityHead
from .losses import MaskedL2Loss
from .pose_estimators import DeepPoseCascade, OpenPoseEstimator

__all__ = [
    'DeepPoseAlexNet', 'DeepPoseCascade', 'EfficientNetLite', 'MaskedL2Loss', 'OpenPoseEstimator', 'OpenPoseHead',
    'OpenPoseVGG', 'PartAffinityHead', 'SimplePoseNet',
]  # fmt: skip
