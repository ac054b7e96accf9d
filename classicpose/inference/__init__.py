"""From images and videos to people."""

from ..people import People
from .predictor import Predictor

__all__ = ['People', 'Predictor']
