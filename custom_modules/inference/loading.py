"""Networks by what a user gives: a file that describes itself, a name, or a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..runtime.estimators import Asked, Estimator, open_estimator

if TYPE_CHECKING:
    import torch


def load_estimator(
    config: str | Path,
    checkpoint: str | Path | None,
    asked: Asked | None = None,
    device: str | torch.device | None = None,
    options: Sequence[str] = (),
) -> Estimator:
    """The network of a file that describes itself, of the zoo, or of a config and its checkpoint.

    Raises:
        UserError: when a file is missing, broken or of another model.
    """
    if checkpoint is None and Path(config).suffix == '.onnx':
        if options:
            raise UserError(f'{config} has no config, so nothing for --cfg-options to change; export it with them')
        return open_estimator(config, asked, device)
    from .trained import TrainedEstimator  # PyTorch and MMPose take seconds to import
    from .zoo import find_model

    if checkpoint is None:
        config, checkpoint = find_model(str(config))
    return TrainedEstimator(config, checkpoint, asked, device, options)
