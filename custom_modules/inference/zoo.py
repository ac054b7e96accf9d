"""The model zoo: trained models that have a name, as ``checkpoints/index.json`` lists them.

A model's weights lie in ``checkpoints/``, or others released them: their file is converted at first use and kept in
``released/converted`` of the data folder.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from ..engine.checkpoints import check_checkpoint_file
from ..engine.conversion import first_stages, load_released
from ..errors import UserError, make_folder, suggestion
from ..files import REPOSITORY, write_whole

FOLDER = REPOSITORY / 'checkpoints'


@dataclass(frozen=True)
class NamedModel:
    """A trained model.

    Args:
        name: what it is called.
        finds: whom it finds and how many keypoints of each, in a few words.
        config: path of its config, from the repository's root.
        licence: of the weights, in a few words.
        file: the weights' name in ``checkpoints/``; of released weights the name of the others' file.
        sha256: of the file; '' of released weights.
        metric: what its card measures it by, as tools/test.py calls it; '' where nobody measured it here.
        value: of the metric.
        source: who released the weights and where; '' of our own.
        network: dotted name of the :class:`Network` that released weights are of.
        stages: how many of its stages are used; None for all.
    """

    name: str
    finds: str
    config: str
    licence: str
    file: str
    sha256: str = ''
    metric: str = ''
    value: float = 0.0
    source: str = ''
    network: str = ''
    stages: int | None = None

    @property
    def path(self) -> Path:
        """Where the weights have to lie."""
        return released_folder() / self.file if self.source else FOLDER / self.file


@cache
def named_models() -> dict[str, NamedModel]:
    """All models of the zoo by name, our own first."""
    entries = json.loads((FOLDER / 'index.json').read_text())
    return {name: NamedModel(name, **entry) for name, entry in entries.items()}


def released_folder() -> Path:
    """Where weights that others released are looked for."""
    return Path(os.environ.get('CLASSICPOSE_DATA', REPOSITORY / 'data')) / 'released'


def find_model(name: str) -> tuple[Path, Path]:
    """The config and the checkpoint of a named model.

    Raises:
        UserError: when there is no such model, or its file is missing, cut short or another one.
    """
    model = named_models().get(name)
    if model is None:
        raise UserError(
            f'there is no model {name!r}{suggestion(name, named_models())}; the zoo has {", ".join(named_models())}; '
            'for another give its config and its checkpoint'
        )
    return REPOSITORY / model.config, _converted(model) if model.source else _checked(model)


def _checked(model: NamedModel) -> Path:
    check_checkpoint_file(model.path)
    found = hashlib.sha256(model.path.read_bytes()).hexdigest()
    if found != model.sha256:
        raise UserError(
            f'checkpoint {model.path} is not the one of {model.name}: its SHA-256 is {found[:12]}..., not '
            f'{model.sha256[:12]}...; restore it (git checkout checkpoints), or give config and checkpoint to load it'
        )
    return model.path


def _converted(model: NamedModel) -> Path:
    if not model.path.is_file():
        raise UserError(
            f'the weights of {model.name} are not here: download {model.file} from {model.source} '
            f'(licence: {model.licence}) into {model.path.parent}'
        )
    converted = model.path.parent / 'converted' / f'{model.name}.pth'
    if converted.is_file() and converted.stat().st_mtime >= model.path.stat().st_mtime:
        return converted
    module, _, variable = model.network.rpartition('.')
    expected = getattr(importlib.import_module(module), variable)
    network, _, stages, weights = load_released(model.path, [expected])
    if model.stages is not None and model.stages < stages:
        weights = first_stages(weights, network, model.stages)
    contents = dict(state_dict=weights, meta=dict(converted_from=model.file))
    make_folder(converted.parent)

    def write(path: Path) -> None:
        with path.open('wb') as file:  # given a path, PyTorch raises other errors than the system's
            torch.save(contents, file)

    write_whole(converted, write)
    return converted


def model_table() -> list[str]:
    """The zoo as lines of a table: names, what they find, size, metric, licence."""
    rows = [('name', 'finds', 'size', 'measured', 'licence')]
    for model in named_models().values():
        size = f'{model.path.stat().st_size / 1e6:.1f} MB' if model.path.is_file() else 'to download'
        measured = f'{model.metric} {model.value:.3f}' if model.metric else '-'
        rows.append((model.name, model.finds, size, measured, model.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ['  '.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
