"""Weight files that others released, as weights of our networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from mmengine.runner import CheckpointLoader
from mmpose.registry import MODELS

from classicpose.errors import UserError

from ..configuration.loading import load_config, shipped_config
from ..models.weights.caffe import read_caffemodel
from ..models.weights.released import Naming, Network, Weights, recognise, to_ours, weights_of
from .checkpoints import explained_loading

CAFFE_SUFFIX = '.caffemodel'


def load_released(path: Path, networks: Sequence[Network]) -> tuple[Network, Naming, int, Weights]:
    """Read a .caffemodel or .pth file of one of ``networks``.

    Returns:
        The network that the file holds weights of, its naming, the number of stages, and the weights under our names.

    Raises:
        UserError: when the file is missing, broken or of another network.
    """
    if path.suffix in (CAFFE_SUFFIX, '.prototxt'):
        checkpoint = read_caffemodel(path)
    else:
        with explained_loading(path):
            checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    try:
        state = weights_of(checkpoint)
        network, naming, stages = recognise(state, networks, shapes_of)
        return network, naming, stages, to_ours(state, naming, shapes_of(network, stages))
    except UserError as error:
        raise UserError(f'{path}: {error}') from error


@cache
def shapes_of(network: Network, stages: int) -> dict[str, torch.Size]:
    """Our tensors' names and shapes, without memory for any."""
    setting, number = network.stages_setting, stages - network.uncounted_stages
    options = [f'{setting}={number}'] if setting else []
    with torch.device('meta'):
        model = MODELS.build(load_config(shipped_config(network.config), options).model)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def first_stages(weights: Weights, network: Network, stages: int) -> Weights:
    """Those of the weights that a network of so many stages has."""
    return {name: weights[name] for name in shapes_of(network, stages) if name in weights}
