"""From images and videos to people, and to files about them."""

from __future__ import annotations

from typing import Any

from ..people import People

__all__ = ['People', 'Predictor']


def __getattr__(name: str) -> Any:
    # At first use: it builds on the engine, whose hooks draw with this package.
    if name == 'Predictor':
        from .predictor import Predictor

        return Predictor
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
