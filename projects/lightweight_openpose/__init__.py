"""Lightweight OpenPose (Osokin 2018): importing this package registers its backbone and its head."""

from .backbone import DilatedMobileNet
from .head import LightweightOpenPoseHead

__all__ = ['DilatedMobileNet', 'LightweightOpenPoseHead']
