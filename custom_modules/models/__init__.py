from .backbones import DeepPoseAlexNet, EfficientNetLite, OpenPoseVGG, PoseMachineVGG, SimplePoseNet
from .data_preprocessor import BatchDataPreprocessor
from .heads import (
    BatchHeatmapHead,
    BatchRegressionHead,
    BatchRLEHead,
    BatchRTMCCHead,
    BatchSimCCHead,
    ConfidentRTMCCHead,
    OpenPose2019Head,
    OpenPoseHead,
    PartAffinityHead,
    PoseMachineHead,
    ResidualPartAffinityHead,
)
from .losses import MaskedL2Loss
from .necks import FinestLevelFPN
from .pose_estimators import DeepPoseCascade, OpenPoseEstimator

__all__ = [
    'BatchDataPreprocessor', 'BatchHeatmapHead', 'BatchRLEHead', 'BatchRTMCCHead', 'BatchRegressionHead',
    'BatchSimCCHead', 'ConfidentRTMCCHead', 'DeepPoseAlexNet', 'DeepPoseCascade', 'EfficientNetLite', 'FinestLevelFPN',
    'MaskedL2Loss', 'OpenPose2019Head', 'OpenPoseEstimator', 'OpenPoseHead', 'OpenPoseVGG', 'PartAffinityHead',
    'PoseMachineHead', 'PoseMachineVGG', 'ResidualPartAffinityHead', 'SimplePoseNet',
]  # fmt: skip
