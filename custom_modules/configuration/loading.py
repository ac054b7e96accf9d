"""Reading config files and the ``key=value`` settings that override them."""

from __future__ import annotations

import argparse
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.config.utils import ConfigParsingError

from classicpose.errors import UserError, near_names, suggestion

from .failures import note_given_settings
from .keys import RUNNER_KEYS, KeyPath, accepted_keys, remedy, walk

# Settings of a cascade's stages, each a dict of keys of the whole config.
_STAGES = 'train_stages'


def load_config(path: str | Path, options: Sequence[str] = ()) -> Config:
    """The config in a file, with settings overridden.

    Args:
        path: a pure Python config file. It can import modules beside it, as a program can.
        options: ``key=value`` settings; keys are dotted paths, with list positions as numbers. What is a text in the
            config stays one, with all its commas, blanks and digits, but for ``None`` and what stands in brackets.

    Raises:
        UserError: when the file is missing or cannot be read as a config, when it imports what
            does not exist, or when an option's key means nothing.
    """
    path = Path(path)
    _check_file(path)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    cfg = _parse(path)
    _import_everything(cfg)
    override(cfg, options)
    return cfg


def shipped_config(name: str) -> Path:
    """The file of a config that comes with ClassicPose, ``configs/openpose_coco.py`` for instance.

    Raises:
        UserError: when this installation has no such file; configs of projects/ are in the repository only.
    """
    package = Path(__file__).parents[1]
    for folder in (package.parent, package):
        if (folder / name).is_file():
            return folder / name
    raise UserError(f'{name} is not installed: it comes with the repository of ClassicPose')


def override(cfg: Config, options: Sequence[str]) -> None:
    """Apply ``key=value`` settings to a config.

    Raises:
        UserError: when a key is neither in the config nor something that the class there accepts.
    """
    values = _parse_options(cfg, options)
    for key in [key for key in values if key.startswith(f'{_STAGES}.')]:
        number, setting = _setting_of_a_stage(cfg, key)
        _check_override(cfg, setting, values[key])
        cfg[_STAGES][number] = {**cfg[_STAGES][number], setting: values.pop(key)}
    for key, value in values.items():
        _check_override(cfg, key, value)
    try:
        cfg.merge_from_dict(values)
    except Exception as error:  # MMEngine has many ways to be surprised by a value
        raise UserError(f'--cfg-options {" ".join(options)}: {type(error).__name__}: {error}') from error
    note_given_settings(cfg, values)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise UserError(f'config {path} is a folder: give a .py file in it')
    if not path.is_file():
        files = path.parent.glob('*.py') if path.parent.is_dir() else ()
        raise UserError(f'config {path} does not exist{suggestion(path.name, (file.name for file in files))}')
    if path.suffix != '.py':
        raise UserError(f'{path} is not a config file: configs are Python files (.py)')


def _parse(path: Path) -> Config:
    try:
        # Its text goes into the log and into every checkpoint; formatted as PEP 8 asks, each would cost 0.1 to 0.4 s.
        return Config.fromfile(str(path), format_python_code=False)
    except SyntaxError as error:
        text = f': {error.text.strip()}' if error.text else ''
        raise UserError(f'{_file_at_fault(error, path)}, line {error.lineno}: {error.msg}{text}') from error
    except UnicodeDecodeError as error:
        raise UserError(f'{_file_at_fault(error, path)} is not a text file') from error
    except ConfigParsingError as error:
        missing = re.match(r'(\S+) not found!', str(error))
        reason = f'its base config {missing[1]} does not exist' if missing else str(error)
        raise UserError(f'{_file_at_fault(error, path)}: {reason}') from error
    except Exception as error:
        raise UserError(f'{_line_at_fault(error) or path}: {type(error).__name__}: {error}') from error


def _file_at_fault(error: Exception, path: Path) -> str:
    """The config or base config that MMEngine was reading: it compiles them without their names."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    names = [frame.f_locals.get('filename') for frame in frames if frame.f_globals.get('Config') is Config]
    return next((name for name in reversed(names) if isinstance(name, str)), str(path))


def _line_at_fault(error: Exception) -> str | None:
    """File and line of the config's own statement that failed, None when no statement did."""
    lines = [
        f'{frame.f_code.co_filename}, line {number}'
        for frame, number in traceback.walk_tb(error.__traceback__)
        # MMEngine runs a config's code as a module that was never imported.
        if frame.f_code.co_name == '<module>' and '__spec__' not in frame.f_globals
    ]
    return lines[-1] if lines else None


def _import_everything(cfg: Config) -> None:
    """Import what the config names; MMEngine would do so at first use, and then from anywhere."""
    try:
        for _ in walk(cfg):
            pass
    except ImportError as error:
        # Without a cause the module has no such name. An import that fails inside a module is that module's bug.
        if not isinstance(error.__context__, (ModuleNotFoundError, AttributeError, type(None))):
            raise
        raise UserError(_explain_import(str(error))) from error


def _explain_import(message: str) -> str:
    pattern = r'Failed to import (\S+)(?: from (\S+))? in (.+?)(?: for (.+))?'
    match = re.fullmatch(pattern, message, re.DOTALL)
    if match is None:
        return message
    name, module, place, reason = match.groups()
    if module is None:
        module, _, attribute = name.rpartition('.')
        if module not in sys.modules or reason is not None:
            return f'{place}: cannot import {name}: {reason}'
        name = attribute
    return f'{place}: {module} has no {name}{suggestion(name, dir(sys.modules[module]))}'


def _parse_options(cfg: Config, options: Sequence[str]) -> dict[str, Any]:
    for option in options:
        if not re.match(r'[^=.]+(\.[^=.]+)*=', option):
            raise UserError(f'--cfg-options {option}: write KEY=VALUE, as in train_dataloader.batch_size=4')
    pairs = [option.split('=', 1) for option in options]
    texts = {key: text.strip('\'"') for key, text in pairs if _stays_text(cfg, key, text)}
    namespace = argparse.Namespace(values={})
    try:
        others = [f'{key}={text}' for key, text in pairs if key not in texts]
        DictAction([], dest='values')(argparse.ArgumentParser(), namespace, others)
    except AssertionError as error:
        raise UserError(f'--cfg-options: {error}') from error
    return namespace.values | texts


def _stays_text(cfg: Config, key: str, text: str) -> bool:
    value: Any = cfg
    for part in key.split('.'):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = value.get(part) if isinstance(value, (Mapping, Config)) else None
    return isinstance(value, str) and text != 'None' and not re.fullmatch(r'\[.*\]|\(.*\)', text, re.DOTALL)


def _setting_of_a_stage(cfg: Config, key: str) -> tuple[int, str]:
    """Which of a cascade's stages, from 0, ``train_stages.1.train_cfg.max_epochs`` is for, and the setting in it."""
    _, number, *setting = key.split('.')
    count = len(cfg.get(_STAGES) or ())
    if not (number.isdigit() and int(number) < count and setting):
        raise UserError(
            f'--cfg-options {key}: '
            + (f'write {_STAGES}.N.SETTING, N from 0 to {count - 1}' if count else f'there are no {_STAGES}')
        )
    return int(number), '.'.join(setting)


def _check_override(cfg: Config, key: str, value: Any) -> None:
    parts = tuple(key.split('.'))
    # The Runner looks at the preprocessor beside the model only where the model has none itself.
    if parts[0] == 'data_preprocessor' and parts[0] in cfg.get('model', {}):
        raise UserError(f'--cfg-options {key}: the model has its own: set model.{key}')
    if parts[0] not in RUNNER_KEYS:
        raise UserError(f'--cfg-options {key}: {_explain_unread(cfg, parts)}')
    parent: Any = cfg if parts[0] in cfg else {parts[0]: {}}
    for depth, part in enumerate(parts):
        here = '.'.join(parts[:depth])
        if isinstance(parent, list):
            if not part.isdigit() or int(part) >= len(parent):
                raise UserError(f'--cfg-options {key}: {here} is a list with positions 0 to {len(parent) - 1}')
            child = parent[int(part)]
            if not isinstance(child, (Mapping, list)):
                raise UserError(f'--cfg-options {key}: give the whole list {here}')
        elif isinstance(parent, (Mapping, Config)):
            if part not in parent:
                _check_new_key(parts[:depth], parent, part, key)
                return
            child = parent[part]
        else:
            raise UserError(f'--cfg-options {key}: {here} is {parent!r}, there are no settings in it')
        parent = child
    if isinstance(parent, Mapping) and parent and value is not None:
        raise UserError(f'--cfg-options {key}: a group of settings: set one of {", ".join(parent)}')


def _check_new_key(path: KeyPath, group: Mapping, name: str, key: str) -> None:
    accepted = accepted_keys(path, group)
    if accepted is None:
        # Where everything is accepted, at least a slip of the pen is caught.
        if not near_names(name, group):
            return
        accepted = set(group)
    if name not in accepted:
        where = '.'.join(path)
        kind = group.get('type')
        owner = f'{where} ({getattr(kind, "__name__", kind)})' if kind else where
        raise UserError(f'--cfg-options {key}: {owner} has no {name}{remedy(name, accepted)}')


def _explain_unread(cfg: Config, parts: KeyPath) -> str:
    """Why a top-level key that the Runner does not read cannot be set, and what to set instead."""
    name, rest = parts[0], parts[1:]
    if name not in cfg:
        return f'there is no {name}{suggestion(name, RUNNER_KEYS)}'
    places = _places_of(cfg, name)
    targets = ' and '.join('.'.join((*place, *rest)) for place in places)
    return (
        f'{name} is a name inside the config file that nothing reads once the file is loaded: '
        f'set {targets or "what it was used for"}'
    )


def _places_of(cfg: Config, name: str) -> list[KeyPath]:
    """Where the value of a config file's variable went."""
    value = cfg[name]
    places = [path for path, found in walk(cfg) if type(found) is type(value) and found == value]
    if isinstance(value, (Mapping, list, str)):
        return places
    # Equal numbers are common: only the same name, or a single place, can be meant.
    same_name = [path for path in places if path[-1] == name]
    return same_name or (places if len(places) == 1 else [])
