from .masked_l2 import MaskedL2Loss

__all__ = ['MaskedL2Loss']
