"""A trained model from its config and its file."""

from __future__ import annotations

import inspect
from pathlib import Path

from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, MODELS
from torch import nn

from ..engine.checkpoints import load_weights
from ..engine.config_errors import explained_config_errors
from ..errors import UserError
from ..skeletons import Skeleton, get_skeleton, skeleton_of


def load_model(cfg: Config, checkpoint: str | Path) -> nn.Module:
    """The config's model with the weights of a checkpoint (.pth), or with a network exported to ONNX (.onnx).

    Raises:
        UserError: when the config has no model or test data, or the file is missing, broken or of another model.
    """
    for key in ('model', 'test_dataloader'):
        if cfg.get(key) is None:
            raise UserError(f'{cfg.filename} has no {key}')
    if Path(checkpoint).suffix == '.onnx':
        from .onnx_model import onnx_estimator

        return onnx_estimator(cfg, checkpoint)
    with explained_config_errors(cfg):
        model = MODELS.build(cfg.model)
    load_weights(model, checkpoint)
    return model


def find_skeleton(model: nn.Module, cfg: Config) -> Skeleton:
    """The body model of the network, or else of the data it is tested on."""
    for owner in (model, getattr(model, 'head', None)):
        if hasattr(owner, 'skeleton'):
            return owner.skeleton
    dataset = cfg.test_dataloader.dataset
    kind = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    parameter = inspect.signature(kind).parameters.get('skeleton')
    if parameter is not None:
        return get_skeleton(dataset.get('skeleton', parameter.default))
    return skeleton_of(parse_pose_metainfo(dataset.get('metainfo') or kind.METAINFO))
