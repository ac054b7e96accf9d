"""The model zoo: trained models that have a name, as ``classicpose/models/index.json`` lists them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import UserError, suggestion

FOLDER = Path(__file__).parents[1] / 'models'


@dataclass(frozen=True)
class NamedModel:
    """A trained model.

    Args:
        name: what it is called.
        finds: whom it finds and how many keypoints of each, in a few words.
        config: path of the config that it was trained with, from the repository's root.
        licence: of the weights, in a few words.
        onnx: the network's file in this package; '' of weights that others released.
        onnx_sha256: of that file.
        file: the weights' name in ``checkpoints/``, for training; of released weights the name of the others' file.
        sha256: of the weights; '' of released ones.
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
    onnx: str = ''
    onnx_sha256: str = ''
    sha256: str = ''
    metric: str = ''
    value: float = 0.0
    source: str = ''
    network: str = ''
    stages: int | None = None

    @property
    def onnx_path(self) -> Path:
        """The network's file.

        Raises:
            UserError: when it is missing, cut short or another one.
        """
        path = FOLDER / self.onnx
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f'{path} is missing ({error.strerror}): install classicpose again') from error
        if data.startswith(b'version https://git-lfs'):
            raise UserError(f'{path} is a Git LFS pointer, not the network: run git lfs pull')
        found = hashlib.sha256(data).hexdigest()
        if found != self.onnx_sha256:
            raise UserError(
                f'{path} is not the network of {self.name}: its SHA-256 is {found[:12]}..., not '
                f'{self.onnx_sha256[:12]}...; restore it, or install classicpose again'
            )
        return path


@cache
def named_models() -> dict[str, NamedModel]:
    """All models of the zoo by name, our own first."""
    entries = json.loads((FOLDER / 'index.json').read_text())
    return {name: NamedModel(name, **entry) for name, entry in entries.items()}


def named_model(name: str) -> NamedModel:
    """The model of this name.

    Raises:
        UserError: when there is no such model.
    """
    model = named_models().get(name)
    if model is None:
        raise UserError(
            f'there is no model {name!r}{suggestion(name, named_models())}; the zoo has {", ".join(named_models())}; '
            'for another give its config and its checkpoint'
        )
    return model


def model_table() -> list[str]:
    """The zoo as lines of a table: names, what they find, size, metric, licence."""
    rows = [('name', 'finds', 'size', 'measured', 'licence')]
    for model in named_models().values():
        size = f'{(FOLDER / model.onnx).stat().st_size / 1e6:.1f} MB' if model.onnx else 'to download'
        measured = f'{model.metric} {model.value:.3f}' if model.metric else '-'
        rows.append((model.name, model.finds, size, measured, model.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ['  '.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
