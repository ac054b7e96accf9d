from .backbones import DeepPoseAlexNet, EfficientNetLite, OpenPoseVGG, SimplePoseNet
from .heads import OpenPoseHead, PartAffinityHead, ResidualPartAffinityHead
from .losses import MaskedL2Loss
from .necks import FinestLevelFPN
from .pose_estimators import DeepPoseCascade, OpenPoseEstimator

__all__ = [
    'DeepPoseAlexNet', 'DeepPoseCascade', 'EfficientNetLite', 'FinestLevelFPN', 'MaskedL2Loss', 'OpenPoseEstimator',
    'OpenPoseHead', 'OpenPoseVGG', 'PartAffinityHead', 'ResidualPartAffinityHead', 'SimplePoseNet',
]  # fmt: skip
