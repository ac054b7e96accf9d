"""Mistakes in a config that show when objects are built from it, in words that lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.runner import ValLoop

from classicpose.errors import UserError, suggestion

from .failures import describe, frames_of, type_name
from .keys import KeyPath, accepted_keys, registered_names, remedy, walk


@contextmanager
def explained_config_errors(cfg: Config) -> Iterator[None]:
    """Turn whatever is raised while components are built and first run into a UserError of one line.

    In MMEngine's known messages about a wrong config there is more to say than they do; all others are described by
    :func:`describe`. What had worked before, an iteration of training or a hook's method, passes with its traceback:
    the settings are right.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if _had_worked(list(frames_of(error))):
            raise
        message = str(error.args[0]) if error.args else ''
        explanations = (explain(cfg, error, message) for explain in _EXPLANATIONS)
        raise UserError(next(filter(None, explanations), None) or describe(cfg, error)) from error


def _had_worked(frames: Sequence[FrameType]) -> bool:
    """Whether what an exception's traceback leads to had run to its end before: a method of the hooks, a validation, an
    iteration of training.
    """
    for frame in reversed(frames):
        owner = frame.f_locals.get('self')
        if frame.f_code.co_name == 'call_hook' and hasattr(owner, 'worked'):
            return frame.f_locals['fn_name'] in owner.worked
        if isinstance(owner, ValLoop) and frame.f_code.co_name == 'run':
            return 'after_val' in owner.runner.worked
        if hasattr(owner, 'worked'):
            return 'after_train_iter' in owner.worked
    return False


def _unexpected_argument(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.search(r"\(\) got an unexpected keyword argument '(\w+)'", message)
    if match is None:
        return None
    name = match[1]
    for path, group in _groups(cfg):
        accepted = accepted_keys(path, group)
        if name in group and accepted is not None and name not in accepted:
            owner = type_name(group) or path[-1]
            return f'config {_dotted(path)}: {owner} takes no {name}{remedy(name, accepted)}'
    return None


def _missing_argument(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.search(r'(\w+)\.__init__\(\) missing \d+ required [\w-]+ arguments?: (.+)', message)
    frames = list(frames_of(error))
    # A call by any other function has nothing to do with the config.
    if match is None or frames[-1].f_code.co_name != 'build_from_cfg':
        return None
    kind, names = match.groups()
    path = next((path for path, group in _groups(cfg) if type_name(group) == kind), None)
    return path and f'config {_dotted(path)}: {kind} needs {names}'


def _unknown_type(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.match(r'(\S+) is not in the (\S+) registry', message)
    path = match and next((path for path, group in _groups(cfg) if group.get('type') == match[1]), None)
    if not path:
        return None
    hint = suggestion(match[1], registered_names()) or ': import the module that registers it'
    return f'config {_dotted(path)}.type: no {match[1]} is registered as {match[2].split("::")[-1]}{hint}'


def _absent_type(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.match(r'`cfg` or `default_args` must contain the key "type", but got (.{,100})', message)
    return match and f'config: a group of settings lacks its type: {match[1]}'


def _incomplete_set(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.match(r'([\w, ]+?) should be\s+either all None or not None', message)
    return match and f'config: {match[1]}: give all of them or none'


def _missing_weights(cfg: Config, error: Exception, message: str) -> str | None:
    match = re.fullmatch(r'(.+) can not be found\.', message)
    path = match and next((path for path, value in walk(cfg) if value == match[1]), None)
    return path and f'config {_dotted(path)}: {match[1]} does not exist'


def _weights_out_of_reach(cfg: Config, error: Exception, message: str) -> str | None:
    frames = list(frames_of(error))
    address = next((frame.f_locals['filename'] for frame in frames if frame.f_code.co_name == 'load_from_http'), None)
    loaders = [frame.f_locals.get('self') for frame in frames]
    wanted = {loader.checkpoint for loader in loaders if isinstance(loader, PretrainedInit)}
    path = address and next((path for path, value in walk(cfg) if isinstance(value, str) and value in wanted), None)
    return path and (
        f'config {_dotted(path)}: cannot download {address} ({message}); download it elsewhere and pass '
        f'--cfg-options {_dotted(path)}=/path/to/the/file, or train from random weights with '
        f'--cfg-options {_dotted(path[:-1])}=None'
    )


_EXPLANATIONS = (
    _unexpected_argument,
    _missing_argument,
    _unknown_type,
    _absent_type,
    _incomplete_set,
    _missing_weights,
    _weights_out_of_reach,
)


def _groups(cfg: Config) -> Iterator[tuple[KeyPath, Mapping]]:
    return ((path, value) for path, value in walk(cfg) if isinstance(value, Mapping))


def _dotted(path: KeyPath) -> str:
    return '.'.join(path)
