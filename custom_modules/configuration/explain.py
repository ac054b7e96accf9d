"""Mistakes in a config that show when objects are built from it, in words that lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from mmengine.config import Config

from classicpose.errors import UserError, suggestion

from .failures import describe, groups, is_a_bug, locate, type_name
from .keys import KeyPath, accepted_keys, registered_names, remedy, walk


@contextmanager
def explained_config_errors(cfg: Config) -> Iterator[None]:
    """Turn whatever is raised while components are built and first run into a UserError of one line.

    In MMEngine's known messages about a wrong config there is more to say than they do; all others are described by
    :func:`describe`. What has nothing to do with settings passes with its traceback, see :func:`is_a_bug`.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_a_bug(cfg, error):
            raise
        path = locate(cfg, error)
        message = str(error.args[0]) if error.args else ''
        explanations = (explain(cfg, error, path, message) for explain in _EXPLANATIONS)
        raise UserError(next(filter(None, explanations), None) or describe(cfg, error, path)) from error


def _unexpected_argument(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.search(r"\(\) got an unexpected keyword argument '(\w+)'", message)
    group = groups(cfg).get(path, {})
    accepted = accepted_keys(path, group) if match and match[1] in group else None
    if accepted is None or match[1] in accepted:
        return None
    return f'config {_dotted(path)}: {type_name(group) or path[-1]} takes no {match[1]}{remedy(match[1], accepted)}'


def _missing_argument(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.search(r'(\w+)\.__init__\(\) missing \d+ required [\w-]+ arguments?: (.+)', message)
    # A call by any other function has nothing to do with the config.
    if match is None or match[1] != type_name(groups(cfg).get(path, {})):
        return None
    return f'config {_dotted(path)}: {match[1]} needs {match[2]}'


def _unknown_type(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.match(r'(\S+) is not in the (\S+) registry', message)
    if match is None or match[1] != type_name(groups(cfg).get(path, {})):
        return None
    hint = suggestion(match[1], registered_names()) or ': import the module that registers it'
    return f'config {_dotted(path)}.type: no {match[1]} is registered as {match[2].split("::")[-1]}{hint}'


def _absent_type(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.match(r'`cfg` or `default_args` must contain the key "type", but got (.{,100})', message)
    return match and f'config: a group of settings lacks its type: {match[1]}'


def _incomplete_set(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.match(r'([\w, ]+?) should be\s+either all None or not None', message)
    return match and f'config: {match[1]}: give all of them or none'


def _missing_weights(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    match = re.fullmatch(r'(.+) can not be found\.', message)
    place = match and next((place for place, value in walk(cfg) if value == match[1]), None)
    return place and f'config {_dotted(place)}: {match[1]} does not exist'


def _weights_out_of_reach(cfg: Config, error: Exception, path: KeyPath, message: str) -> str | None:
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    address = next((frame.f_locals['filename'] for frame in frames if frame.f_code.co_name == 'load_from_http'), None)
    key = _dotted((*path, 'checkpoint'))
    return address and (
        f'config {key}: cannot download {address} ({message}); download it elsewhere and pass '
        f'--cfg-options {key}=/path/to/the/file, or train from random weights with --cfg-options {_dotted(path)}=None'
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


def _dotted(path: KeyPath) -> str:
    return '.'.join(path)
