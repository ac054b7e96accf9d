"""Stand-in for imgaug: mmdet imports it for the lanes of roads, so it can be imported, but not used."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn


def absent(name: str) -> Callable[..., NoReturn]:
    """What stands for a class or function of imgaug.

    Raises:
        AttributeError: for names that ``inspect`` and the import system only probe for.
    """
    if name.startswith('__'):
        raise AttributeError(name)

    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"imgaug's {name} is not installed; no model of ClassicPose needs it: pip install imaug")

    return refuse
