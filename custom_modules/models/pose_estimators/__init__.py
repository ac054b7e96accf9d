from .deeppose import DeepPoseCascade
from .openpose import OpenPoseEstimator

__all__ = ['DeepPoseCascade', 'OpenPoseEstimator']
