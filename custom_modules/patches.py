"""What MMEngine and MMPose need on today's PyTorch and NumPy, each patch with its reason.

``import custom_modules`` applies them.
"""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint
from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

TRUST_VARIABLE = 'CLASSICPOSE_TRUST_CHECKPOINTS'


class UnsafeCheckpointError(RuntimeError):
    """A checkpoint holds more than weights and plain data, so loading it could run its code."""


def apply() -> None:
    """Patch both packages; once is enough."""
    _load_checkpoints_as_data_only()
    _draw_circles_with_numbers()


def _draw_circles_with_numbers() -> None:
    """Give OpenCV the radius of MMPose's keypoints as a number.

    MMPose gives an array of one element, which NumPy 2.4 and newer do not turn into a number any more.
    """
    draw = OpencvBackendVisualizer.draw_circles

    @functools.wraps(draw)
    def draw_circles(self: OpencvBackendVisualizer, center: Any, radius: Any, *args: Any, **kwargs: Any) -> Any:
        radius = np.ravel(radius)[0] if self.backend == 'opencv' else radius
        return draw(self, center, radius, *args, **kwargs)

    OpencvBackendVisualizer.draw_circles = draw_circles


def _load_checkpoints_as_data_only() -> None:
    """Make MMEngine refuse what it would otherwise unpickle, and with it run.

    MMEngine tries weights-only loading first and silently unpickles everything when that fails;
    its downloads are unpickled at once. Both ways of reading a file are looked up as globals of
    its checkpoint module, which makes that the one place every loader passes through.
    """
    torch.serialization.add_safe_globals(_data_in_our_checkpoints())
    checkpoint._safe_torch_load = _refuse_code(torch.load)
    checkpoint.load_url = _refuse_code(torch.hub.load_state_dict_from_url)


def _refuse_code(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a loader that takes ``weights_only`` so that it is, unless the user trusts files."""

    @functools.wraps(load)
    def load_data(source: object, *args: object, **kwargs: object) -> Any:
        trusted = os.environ.get(TRUST_VARIABLE) == '1'
        try:
            return load(source, *args, weights_only=not trusted, **kwargs)
        except pickle.UnpicklingError as error:
            raise UnsafeCheckpointError(
                f'{source} cannot be read as weights and plain data (the error above says what is '
                'in the way), and reading it in any other way would run whatever code it '
                f'contains. If you trust where it comes from, set {TRUST_VARIABLE}=1 in the '
                'environment.'
            ) from error

    return load_data


def _data_in_our_checkpoints() -> list[Any]:
    """List the types, beyond torch's own, that MMEngine writes: numpy data and log histories."""
    numbers = np.typecodes['AllInteger'] + np.typecodes['AllFloat'] + '?'
    number_types = {type(np.dtype(code)) for code in numbers}
    # numpy 2 renamed numpy.core; a checkpoint may have been written under either name.
    rebuild = [np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    rebuild_by_name = [
        (function, f'{package}.multiarray.{function.__name__}')
        for function in rebuild
        for package in ('numpy.core', 'numpy._core')
    ]
    return [
        np.ndarray,
        np.dtype,
        *number_types,
        *rebuild_by_name,
        HistoryBuffer,
        (_history_statistic, 'builtins.getattr'),
    ]


def _history_statistic(owner: type, name: str) -> Callable[..., float]:
    """Stand in for the ``getattr`` by which a pickled HistoryBuffer names its statistics.

    The real one would hand a checkpoint any attribute of anything.

    Raises:
        pickle.UnpicklingError: Something else is asked for.
    """
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'attribute {name!r} of {owner!r} is not plain data')
    return getattr(owner, name)
