from .graph import ModelGraphHook
from .images import PredictionImageHook
from .predictions import PredictionCheckHook

__all__ = ['ModelGraphHook', 'PredictionImageHook', 'PredictionCheckHook']
