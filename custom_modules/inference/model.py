"""A trained model from its config and its file."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn

from ..configuration.explain import explained_config_errors
from ..engine.checkpoints import load_weights
from ..errors import UserError


def load_model(cfg: Config, checkpoint: str | Path) -> nn.Module:
    """The config's model with the weights of a checkpoint (.pth), or with a network exported to ONNX (.onnx).

    Raises:
        UserError: when the config has no model or test data, or the file is missing, broken or of another model.
    """
    for key in ('model', 'test_dataloader'):
        if cfg.get(key) is None:
            raise UserError(f'{cfg.filename} has no {key}')
    if Path(checkpoint).suffix == '.onnx':
        from ..deploy.network import onnx_estimator

        return onnx_estimator(cfg, checkpoint)
    with explained_config_errors(cfg):
        model = MODELS.build(cfg.model)
    load_weights(model, checkpoint)
    return model
