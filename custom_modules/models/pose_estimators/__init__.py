from .openpose import OpenPoseEstimator

__all__ = ['OpenPoseEstimator']
