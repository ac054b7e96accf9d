"""The only way to PyTorch: ``custom_modules.prediction``, if the plug-ins are installed."""

from __future__ import annotations

from types import ModuleType

from ..errors import UserError


def plug_ins(purpose: str) -> ModuleType:
    """:mod:`custom_modules.prediction`, which loads a config with its checkpoint, and weights that others released.

    Args:
        purpose: what the plug-ins are needed for, the error message's subject.

    Raises:
        UserError: when the plug-ins, PyTorch or MMPose are not installed.
    """
    try:
        from custom_modules import prediction
    except ImportError as error:
        raise UserError(
            f'{purpose} needs PyTorch and MMPose, but {error.name or error} is not installed: pip install -r '
            "requirements.txt in ClassicPose's repository; names of the zoo's own models and .onnx files work without"
        ) from error
    return prediction
