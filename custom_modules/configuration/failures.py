"""Where in a config the component stands that an exception came from, and whose code raised it."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

from mmengine.config import Config

from classicpose.errors import TRACEBACK_VARIABLE

from .keys import KeyPath, resolve, walk

_LONGEST_MESSAGE = 400
_PACKAGE = Path(__file__).resolve().parents[1]
# Code that nobody looks for their own mistake in: libraries, and what calls the components here.
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')})
_OURS = ('configuration', 'engine/launch.py', 'engine/resuming.py', 'engine/runner.py', 'datasets/order.py', '../tools')
_CALLERS = (*(os.path.normpath(_PACKAGE / name) for name in _OURS), '<')


def describe(cfg: Config, error: Exception, path: KeyPath | None = None) -> str:
    """One line about an exception.

    It has the component's dotted path and class, the settings given for it on the command line, the exception's own
    message, and the file and line of the innermost code that is not a library's.

    Args:
        path: of the component, where it is known; else it is looked for in the exception's traceback.
    """
    if path is None:
        path = locate(cfg, error)
    group = _at(cfg, path) if path else None
    kind = type_name(group) if isinstance(group, Mapping) else None
    place = f'config {".".join(path)}' if path else f'config {cfg.filename}'
    message = ' '.join(str(error).split()) or 'no message'
    if len(message) > _LONGEST_MESSAGE:
        message = f'{message[:_LONGEST_MESSAGE]} ...'
    given = _given_for(cfg, path or ())
    settings = f'; given on the command line: {", ".join(given)}' if given else ''
    line = own_line(error)
    return (
        f'{place}{f" ({kind})" if kind else ""}: {type(error).__name__}: {message}{settings}'
        f'{f"; raised in {line}" if line else ""}; {TRACEBACK_VARIABLE}=1 in the environment shows the traceback'
    )


def locate(cfg: Config, error: Exception) -> KeyPath | None:
    """The group of settings that the innermost component in the exception's traceback was built from."""
    groups = [(path, value) for path, value in walk(cfg) if isinstance(value, Mapping) and value]
    candidates: list[KeyPath] = []
    for frame in reversed(list(frames_of(error))):
        found = _groups_of(frame, groups)
        if not candidates:
            candidates = found
        else:
            # What is further out tells equal components apart: whose dataset it is, for instance.
            candidates = [p for p in candidates if any(p[: len(outer)] == outer for outer in found)] or candidates
        if len(candidates) == 1:
            break
    settings = [tuple(name.split('.')) for name in given_settings(cfg)]
    touched = [path for path in candidates if any(key[: len(path)] == path for key in settings)]
    return next(iter(touched or candidates), None)


def own_line(error: Exception) -> str | None:
    """File and line of the innermost frame that is neither a library's nor of what calls components here."""
    for frame, number in reversed(list(_steps(error))):
        file = frame.f_code.co_filename
        if not file.startswith(_LIBRARIES + _CALLERS):
            return f'{file}, line {number}'
    return None


def frames_of(error: Exception) -> Iterator[FrameType]:
    """The frames of the tracebacks of an exception and of what it was raised from, outermost first."""
    return (frame for frame, _ in _steps(error))


def _steps(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """The frames and their lines. MMEngine raises what a hook raised anew, ``from None``, and hides where that was."""
    yield from walk_tb(error.__traceback__)
    inner = (error.__cause__ or error.__context__) if error.__suppress_context__ else None
    if inner is not None:
        yield from _steps(inner)


def given_settings(cfg: Config) -> dict[str, Any]:
    """The settings by which the command line has overridden a config, by dotted path."""
    return vars(cfg).get('_given_settings', {})


def note_given_settings(cfg: Config, values: Mapping[str, Any]) -> None:
    """Remember settings for :func:`given_settings`; copies of the config remember them too."""
    vars(cfg)['_given_settings'] = {**given_settings(cfg), **values}


def type_name(group: Mapping) -> str | None:
    """The name of the class that a group of settings stands for, None where it has no type."""
    kind = group.get('type') and (resolve(group['type']) or group['type'])
    return getattr(kind, '__name__', kind)


def _given_for(cfg: Config, path: KeyPath) -> list[str]:
    """The settings given in or above a group as ``key=value``; where there are none, all that were given."""
    given = {tuple(name.split('.')): value for name, value in given_settings(cfg).items()}
    near = {key: value for key, value in given.items() if key[: len(path)] == path or path[: len(key)] == key}
    return [f'{".".join(key)}={_short(value)}' for key, value in list((near or given).items())[:5]]


def _short(value: object) -> str:
    text = ' '.join(str(value).split())
    return text if len(text) <= 60 else f'{text[:60]} ...'


def _groups_of(frame: FrameType, groups: Sequence[tuple[KeyPath, Mapping]]) -> list[KeyPath]:
    """The groups of settings that a frame builds something from or whose component it runs in."""
    values = frame.f_locals
    if frame.f_code.co_name.startswith('build'):
        given = [value for value in values.values() if isinstance(value, Mapping) and value]
        equal = [path for path, group in groups if any(_same(group, value) for value in given)]
        if equal:
            return equal
    owner = type(values['self']) if 'self' in values else values.get('obj_cls')
    return [path for path, group in groups if owner is not None and 'type' in group and _stands_for(group, owner)]


def _stands_for(group: Mapping, owner: object) -> bool:
    kind = group['type']
    return kind is owner or (isinstance(kind, str) and resolve(kind) is owner)


def _same(one: object, other: object) -> bool:
    """Equality that looks into groups by their items: MMEngine resolves names in them at each look."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # arrays and whatever else has no single answer
        return False


def _at(cfg: Config, path: KeyPath) -> Any:
    value: Any = cfg
    for key in path:
        try:
            value = value[int(key)] if isinstance(value, list | tuple) else value[key]
        except (IndexError, KeyError, TypeError, ValueError):
            return None
    return value
