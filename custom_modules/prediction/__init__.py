"""Prediction with PyTorch: what :class:`classicpose.inference.Predictor` needs for a config and its checkpoint."""

from ..configuration.loading import shipped_config
from .detector import PersonDetector
from .trained import TrainedEstimator
from .zoo import find_model

__all__ = ['PersonDetector', 'TrainedEstimator', 'find_model', 'shipped_config']
