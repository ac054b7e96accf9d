"""A trained model from its config and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmpose.registry import MODELS, TRANSFORMS
from torch import nn

from classicpose.errors import UserError

from ..configuration.explain import explained_config_errors
from ..datasets.transforms import ResizeToHeight
from ..engine.checkpoints import load_weights

# Images are there already.
_LOADING = ('LoadIntactImage', 'LoadImage')


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


def pick_device(given: str | torch.device | None) -> torch.device:
    """The device, by default a GPU where there is one.

    Raises:
        UserError: when it cannot be used.
    """
    given = given or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:  # the first from builds without CUDA
        reason = str(error).splitlines()[0]
        raise UserError(f"device {given} cannot be used ({reason}); give 'cpu', or leave it out") from error
    return device


def steps_after_loading(pipeline: Sequence[dict], net_resolution: tuple[int, int] | None = None) -> list:
    """The steps of a test pipeline after loading, built, of bottom-up networks with another resolution."""
    steps = []
    for step in pipeline:
        kind = TRANSFORMS.get(step['type']) if isinstance(step['type'], str) else step['type']
        if kind.__name__ in _LOADING:
            continue
        if kind is ResizeToHeight and net_resolution is not None:
            width, height = (None if size == -1 else size for size in net_resolution)
            step = dict(step, width=width, height=height)
        steps.append(TRANSFORMS.build(step))
    return steps
