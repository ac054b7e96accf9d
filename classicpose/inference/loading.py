"""Networks by what a user gives: a file that describes itself, a name, or a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..networks.estimators import BottomUpSettings, Estimator, open_estimator
from .plug_ins import plug_ins
from .zoo import named_model

if TYPE_CHECKING:
    import torch


def load_estimator(
    config: str | Path,
    checkpoint: str | Path | None,
    settings: BottomUpSettings | None = None,
    device: str | torch.device | None = None,
    options: Sequence[str] = (),
) -> Estimator:
    """The network of a file that describes itself, of the zoo, or of a config and its checkpoint.

    ONNX Runtime runs .onnx files and the zoo's own models. PyTorch runs checkpoints with a config, weights that others
    released, and models of the zoo with changed settings or on a device that ONNX Runtime lacks.

    Raises:
        UserError: when a file is missing, broken or of another model.
    """
    if checkpoint is None and Path(config).suffix == '.onnx':
        if options:
            raise UserError(f'{config} has no config, so nothing for --cfg-options to change; export it with them')
        return open_estimator(config, settings, device)
    if checkpoint is not None:
        return plug_ins(f'a config with its checkpoint ({config})').TrainedEstimator(
            config, checkpoint, settings, device, options
        )
    model = named_model(str(config))
    if model.onnx and not options and str(device or 'cpu') == 'cpu':
        return open_estimator(model.onnx_path, settings, device)
    loader = plug_ins(f'{model.name} with PyTorch')
    return loader.TrainedEstimator(*loader.find_model(model), settings, device, options)
