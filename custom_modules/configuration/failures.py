"""Where in a config the component stands that an exception came from, and whose code raised it."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import build_from_cfg

from classicpose.errors import TRACEBACK_VARIABLE

from .keys import KeyPath, resolve, walk

_LONGEST_MESSAGE = 400
_PACKAGE = Path(__file__).resolve().parents[1]
# Code that nobody looks for their own mistake in: libraries, and what calls the components here.
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ('stdlib', 'platstdlib', 'purelib', 'platlib')})
_OURS = ('configuration', 'engine/launch.py', 'engine/resuming.py', 'engine/runner.py', 'datasets/order.py', '../tools')
_CALLERS = (*(os.path.normpath(_PACKAGE / name) for name in _OURS), '<')


@contextmanager
def building(*path: str) -> Iterator[None]:
    """Let an exception carry, as ``config_path``, the group of settings that it came from, or from one in it."""
    try:
        yield
    except Exception as error:
        error.config_path = path
        raise


@contextmanager
def step_of_a_run(has_worked: Callable[[], bool]) -> Iterator[None]:
    """Let an exception carry, as ``has_worked``, whether the innermost step it ends had run to its end before."""
    try:
        yield
    except Exception as error:
        error.has_worked = getattr(error, 'has_worked', has_worked())
        raise


def is_a_bug(cfg: Config, error: Exception) -> bool:
    """Whether an exception in a step of a run has nothing to do with settings.

    So it is in a step that had worked before, and where a library divides by zero, if it is no component of the config.
    """
    if getattr(error, 'has_worked', True) or not isinstance(error, ZeroDivisionError):
        return getattr(error, 'has_worked', False)
    *callers, innermost = (frame for frame, _ in walk_tb(error.__traceback__))
    return (
        innermost.f_code.co_filename.startswith(_LIBRARIES)
        and type_name(_given(innermost)) not in map(type_name, groups(cfg).values())
        and not any(map(_builds, callers))
    )


def locate(cfg: Config, error: Exception) -> KeyPath:
    """Path of the innermost group that something was built from, or whose component ran; () where there is none."""
    here = getattr(error, 'config_path', ())
    within = {path: group for path, group in groups(cfg).items() if path[: len(here)] == here}
    names = {path: type_name(group) for path, group in within.items()}
    for given in (_given(frame) for frame, _ in walk_tb(error.__traceback__)):
        # Builders copy, add settings and take out others.
        alike = {path: _shared(within[path], given) for path in within if names[path] == type_name(given)}
        inside = [path for path in alike if path[: len(here)] == here]
        here = max(inside or alike, key=alike.get, default=here)
    return here


def _builds(frame: FrameType) -> bool:
    return frame.f_code is build_from_cfg.__code__


def _given(frame: FrameType) -> Mapping:
    """The group that MMEngine's one build function builds from, or what is known of that of a running object."""
    value = frame.f_locals['cfg'] if _builds(frame) else frame.f_locals.get('self')
    return value if _builds(frame) and isinstance(value, Mapping) else dict(type=type(value))


def _shared(one: Mapping, other: Mapping) -> int:
    """How many settings are in both; as texts, since MMEngine resolves the names in them at each look."""
    texts = [{(key, str(value)) for key, value in ConfigDict(group).to_dict().items()} for group in (one, other)]
    return len(set.intersection(*texts))


def describe(cfg: Config, error: Exception, path: KeyPath) -> str:
    """One line about an exception.

    It has the component's dotted path and class, the settings given for it on the command line, the exception's own
    message, and the file and line of the innermost code that is neither a library's nor calls components here.

    Args:
        path: of the component, () where it is not known.
    """
    kind = type_name(groups(cfg).get(path, {}))
    given = _given_for(cfg, path)
    settings = f'; given on the command line: {", ".join(given)}' if given else ''
    lines = [(frame.f_code.co_filename, number) for frame, number in walk_tb(error.__traceback__)]
    own = [f'; raised in {file}, line {number}' for file, number in lines if not file.startswith(_LIBRARIES + _CALLERS)]
    return (
        f'config {".".join(path) or cfg.filename}{f" ({kind})" if kind else ""}: {type(error).__name__}: '
        f'{_short(str(error), _LONGEST_MESSAGE) or "no message"}{settings}{own[-1] if own else ""}; '
        f'{TRACEBACK_VARIABLE}=1 in the environment shows the traceback'
    )


def groups(cfg: Config) -> dict[KeyPath, Mapping]:
    """Every group of settings, with its path; groups before what is in them."""
    return {path: value for path, value in walk(cfg) if isinstance(value, Mapping)}


def type_name(group: Mapping) -> str | None:
    """The name of the class that a group of settings stands for, None where it has no type."""
    kind = group.get('type') and (resolve(group['type']) or group['type'])
    return getattr(kind, '__name__', kind)


def note_given_settings(cfg: Config, values: Mapping[str, Any]) -> None:
    """Remember the settings by which the command line overrides a config; copies of the config remember them too."""
    vars(cfg)['_given_settings'] = {**vars(cfg).get('_given_settings', {}), **values}


def _given_for(cfg: Config, path: KeyPath) -> list[str]:
    """The settings given in or above a group as ``key=value``; where there are none, all that were given."""
    given = {tuple(name.split('.')): value for name, value in vars(cfg).get('_given_settings', {}).items()}
    near = {key: value for key, value in given.items() if key[: len(path)] == path or path[: len(key)] == key}
    return [f'{".".join(key)}={_short(str(value), 60)}' for key, value in list((near or given).items())[:5]]


def _short(text: str, longest: int) -> str:
    text = ' '.join(text.split())
    return text if len(text) <= longest else f'{text[:longest]} ...'
