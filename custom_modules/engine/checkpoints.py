"""Checkpoint files: which one to resume from, whether a file is one, whether it fits a model."""

from __future__ import annotations

import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from traceback import walk_tb

import torch
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader
from mmpose.registry import HOOKS
from torch import nn

from classicpose.errors import UserError, count_and_name

from ..patches import TRUST_VARIABLE, UnsafeCheckpointError
from .wrapping import unwrapped

_ZIP_START = b'PK\x03\x04'
_LEGACY_START = b'\x80'  # torch before 1.6 wrote bare pickles
_LFS_POINTER_START = b'version https://git-lfs'


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint to resume from: the one noted in ``last_checkpoint``, else the newest file.

    Falls back because a process can be killed between writing a checkpoint and noting it, and
    skips files that are not complete, which a full disk or an interrupted copy leaves behind.
    """
    work_dir = Path(work_dir)
    note = work_dir / 'last_checkpoint'
    noted = Path(note.read_text().strip()) if note.is_file() else Path()
    saved = [path for path in work_dir.glob('*.pth') if not path.name.startswith('best_')]
    newest_first = sorted(saved, key=lambda path: path.stat().st_mtime, reverse=True)
    # The noted path is absolute: in a folder that was moved or copied, the same name in the folder itself comes first.
    candidates = [work_dir / noted.name, noted, *newest_first]
    return next((path for path in candidates if path.is_file() and zipfile.is_zipfile(path)), None)


def check_checkpoint_file(path: str | Path) -> None:
    """Refuse what cannot be a checkpoint, by a glance at the file; addresses are MMEngine's.

    Raises:
        UserError: when there is no such file, or it is not a checkpoint, or it is incomplete.
    """
    if '://' in str(path):
        return
    path = Path(path).expanduser()
    if path.is_dir():
        inside = latest_checkpoint(path)
        hint = f'give a file in it, such as {inside}' if inside else 'give a .pth file'
        raise UserError(f'checkpoint {path} is a folder: {hint}')
    if not path.is_file():
        raise UserError(f'checkpoint {path} does not exist')
    with path.open('rb') as file:
        start = file.read(len(_LFS_POINTER_START))
    if start == _LFS_POINTER_START:
        raise UserError(
            f'{path} is a Git LFS pointer, not the checkpoint: run git lfs pull, or download the file itself'
        )
    if start.startswith(_ZIP_START) and not zipfile.is_zipfile(path):
        raise UserError(f'checkpoint {path} is incomplete: copy it again or use an earlier one')
    if not start.startswith((_ZIP_START, _LEGACY_START)):
        raise UserError(f'{path} is not a checkpoint: give a .pth file that training wrote')


@contextmanager
def explained_loading(path: str | Path) -> Iterator[None]:
    """Turn what the loader raises about a bad file into a UserError that names the file."""
    check_checkpoint_file(path)
    try:
        yield
    except UnsafeCheckpointError as error:
        # The loader's cause is a page of torch's advice; what the file wants to call is in it.
        code = re.search(r'Unsupported global: GLOBAL (\S+)', str(error.__cause__))
        if code is None:
            raise UserError(_damaged(path)) from error
        raise UserError(
            f'checkpoint {path} refers to code ({code[1]}), which loading it would run: '
            f'if you trust where it comes from, set {TRUST_VARIABLE}=1 in the environment'
        ) from error
    except Exception as error:
        modules = {frame.f_globals.get('__name__') for frame, _ in walk_tb(error.__traceback__)}
        if torch.serialization.__name__ not in modules:
            raise
        raise UserError(_damaged(path)) from error


def check_state_dict(model: nn.Module, checkpoint: dict, path: str | Path) -> None:
    """Refuse a checkpoint of other tensors than the model's; MMEngine would only warn.

    Raises:
        UserError: with how many tensors are missing, unexpected or of another shape, and the
            first names of each.
    """
    if not isinstance(checkpoint, dict):
        raise UserError(f'checkpoint {path} holds a {type(checkpoint).__name__}, not the weights of a model')
    source = checkpoint.get('state_dict', checkpoint)
    tensors = isinstance(source, dict) and all(isinstance(name, str) for name in source)
    if not tensors or not any(isinstance(value, torch.Tensor) for value in source.values()):
        raise UserError(f'checkpoint {path} holds no tensors where the weights of a model should be')
    source = OrderedDict((re.sub(r'^module\.', '', name), value) for name, value in source.items())
    own = model.state_dict()
    misshapen = [name for name in source if name in own and getattr(source[name], 'shape', None) != own[name].shape]
    for name in misshapen:
        del source[name]
    # Loading, not comparing names: modules rename what older versions of them saved while they
    # load.
    result = model.load_state_dict(source, strict=False)
    missing = [name for name in result.missing_keys if name not in misshapen and 'num_batches_tracked' not in name]
    unexpected = [name for name in result.unexpected_keys if not name.startswith('data_preprocessor.')]
    problems = count_and_name({'missing': missing, 'unexpected': unexpected, 'of another shape': misshapen})
    if problems:
        raise UserError(
            f'checkpoint {path} does not fit this config (model {type(model).__name__}): '
            f'of {len(own)} tensors {problems}: use the config it was trained with'
        )


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Load a checkpoint into a model, all of it or nothing.

    Raises:
        UserError: when it is no checkpoint, or one of another model.
    """
    with explained_loading(path):
        checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    check_state_dict(model, checkpoint, path)


class CheckpointMatchHook(Hook):
    """Applies ``check_state_dict`` to the checkpoint that a runner loads.

    Args:
        path: what to call the checkpoint in the error.
    """

    priority = 'VERY_HIGH'

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        model = unwrapped(runner.model)
        check_state_dict(model, checkpoint, self.path)


@HOOKS.register_module()
class DataOnlyHook(Hook):
    """Leaves functions out of the checkpoints that a runner saves.

    OneCycleLR keeps one in its state, though it makes it anew from its settings, and code in a
    checkpoint is refused when it is loaded.
    """

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        schedulers = checkpoint.get('param_schedulers', [])
        lists = schedulers.values() if isinstance(schedulers, dict) else [schedulers]
        for state in chain.from_iterable(lists):
            for name in [name for name, value in state.items() if callable(value)]:
                del state[name]


def _damaged(path: str | Path) -> str:
    return f'{path} is damaged or not a checkpoint: give a .pth file that training wrote'
