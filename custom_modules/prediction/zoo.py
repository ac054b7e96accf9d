"""The zoo's models as config and checkpoint; weights that others released are converted at first use."""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path

import torch

from classicpose.errors import UserError, make_folder
from classicpose.files import write_whole
from classicpose.inference.zoo import NamedModel

from ..configuration.loading import load_config, shipped_config
from ..configuration.skeleton import dataset_meta
from ..engine.checkpoints import check_checkpoint_file
from ..engine.conversion import first_stages, load_released

FOLDER = Path(__file__).parents[2] / 'checkpoints'
"""Of the zoo's weights, in the repository."""


def find_model(model: NamedModel) -> tuple[Path, Path]:
    """The config and the checkpoint of a named model.

    Raises:
        UserError: when its file is missing, cut short or another one.
    """
    return shipped_config(model.config), _converted(model) if model.source else _checked(model)


def released_folder() -> Path:
    """Where weights that others released are looked for; ``converted`` in it holds them as ours."""
    return Path(os.environ.get('CLASSICPOSE_DATA', 'data')) / 'released'


def _checked(model: NamedModel) -> Path:
    path = FOLDER / model.file
    check_checkpoint_file(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != model.sha256:
        raise UserError(
            f'checkpoint {path} is not the one of {model.name}: its SHA-256 is {found[:12]}..., not '
            f'{model.sha256[:12]}...; restore it (git checkout checkpoints), or give config and checkpoint to load it'
        )
    return path


def _converted(model: NamedModel) -> Path:
    path = released_folder() / model.file
    if not path.is_file():
        raise UserError(
            f'the weights of {model.name} are not here: download {model.file} from {model.source} '
            f'(licence: {model.licence}) into {path.parent}'
        )
    converted = path.parent / 'converted' / f'{model.name}.pth'
    if converted.is_file() and converted.stat().st_mtime >= path.stat().st_mtime:
        return converted
    module, _, variable = model.network.rpartition('.')
    expected = getattr(importlib.import_module(module), variable)
    network, _, stages, weights = load_released(path, [expected])
    if model.stages is not None and model.stages < stages:
        weights = first_stages(weights, network, model.stages)
    meta = dataset_meta(load_config(shipped_config(model.config)))
    contents = dict(state_dict=weights, meta=dict(meta, converted_from=model.file))
    make_folder(converted.parent)

    def write(path: Path) -> None:
        with path.open('wb') as file:  # given a path, PyTorch raises other errors than the system's
            torch.save(contents, file)

    write_whole(converted, write)
    return converted
