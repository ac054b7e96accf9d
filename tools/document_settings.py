"""Write the lists of docs/settings.md from the docstrings of the classes and the shipped configs.

python tools/document_settings.py
"""

from __future__ import annotations

import argparse
import functools
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmengine.config import Config

from classicpose.paf import DecodeSettings
from classicpose.skeletons import Skeleton
from custom_modules.configuration.keys import RUNNER_KEYS, accepted_arguments, registered_names, resolve, walk
from custom_modules.configuration.loading import load_config
from custom_modules.models.pose_estimators.cascade_stage import CascadeStage

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / 'docs/settings.md'
MARK = '<!-- python tools/document_settings.py writes all that follows. -->\n'
# A class is shown in the first of these that has it, else in the first of all configs.
EXAMPLES = ('openpose_coco', 'openpose_lite_coco', 'deeppose_flic_lite0', 'lite0_simcc_coco')
# Parts of custom_modules. A class belongs to the last section that names its module.
SECTIONS = {
    'Codecs': ('codecs',),
    'Networks': ('models',),
    'Backbones and necks': ('models.backbones', 'models.necks'),
    'Heads and losses': ('models.heads', 'models.losses'),
    'Datasets': ('datasets',),
    'Transforms': ('datasets.transforms',),
    'Metrics': ('metrics',),
    'Optimizers and hooks': ('engine',),
}


def page() -> str:
    """The text of docs/settings.md, with new lists."""
    files = {path.stem: path for path in sorted(REPOSITORY.glob('configs/*.py'))}
    configs = {name: load_config(files[name]) for name in dict.fromkeys((*EXAMPLES, *files))}
    sections: dict[str, set[type]] = {title: set() for title in SECTIONS}
    for kind in filter(inspect.isclass, map(resolve, registered_names())):
        package, _, module = kind.__module__.partition('.')
        if package == 'custom_modules':
            *_, title = (title for title, parts in SECTIONS.items() if module.startswith(parts))
            sections[title].add(kind)
    sections['Codecs'].add(DecodeSettings)
    head, mark, _ = PAGE.read_text().partition(MARK)
    lines = [line for title, kinds in sections.items() for line in _section(title, kinds, configs)]
    return head + mark + '\n'.join(lines) + '\n'


def settings_of(kind: type) -> dict[str, str]:
    """The settings of a class, with what its docstring or its nearest base's says of each."""
    documented = (inspect.cleandoc(vars(base).get('__doc__') or '') for base in inspect.getmro(kind))
    texts = (text.partition('\nArgs:\n')[2].partition('\n\n')[0] for text in documented)
    accepted = {*(accepted_arguments(kind) or ()), 'kwargs', 'paramwise_cfg'}
    settings = {}
    for name, text in re.findall(r'^ {4}(\w+): (.*(?:\n {8}.*)*)', next(filter(None, texts), ''), re.MULTILINE):
        # A group describes its members: ``flip_test``: ... ``scales``: ...
        first, *members = re.split(r'``(\w+)``: ', ' '.join(text.split()))
        keys = [f'{name}.{member}' for member in members[::2]] or [name]
        if name in accepted:
            settings |= dict(zip(keys, members[1::2] or [first], strict=True))
    return settings


def _section(title: str, kinds: set[type], configs: Mapping[str, Config]) -> Iterator[str]:
    yield from ('', f'## {title}')
    bare = []
    for kind in sorted(kinds, key=lambda kind: kind.__name__):
        settings = settings_of(kind)
        if not settings:
            bare.append(f'`{kind.__name__}`')
        elif place := next(_places(kind, configs), None):
            yield from _description(kind, settings, *place)
    if bare:
        yield from ('', _filled(f'Without settings of their own: {", ".join(bare)}.'))


def _places(kind: type, configs: Mapping[str, Config]) -> Iterator[tuple[str, str, list[str], Mapping]]:
    """Configs that have the class, with their variable for it, its keys, and its settings at the first key."""
    for name, cfg in configs.items():
        found = {'.'.join(path): value for path, value in walk(cfg) if _is_of(kind, path, value)}
        # A test's settings are mostly those of a validation.
        keys = [key for key in found if not key.startswith('test_') or f'val_{key[5:]}' not in found]
        if keys:
            variables = (key for key in cfg if key not in RUNNER_KEYS and cfg[key] == found[keys[0]])
            yield name, next(variables, ''), keys, found[keys[0]]


def _is_of(kind: type, path: tuple[str, ...], value: object) -> bool:
    if not isinstance(value, Mapping) or path == ('data_preprocessor',):  # the model has its own
        return False
    if kind in (DecodeSettings, CascadeStage):
        return path[:-1] == ('model', 'stages') if kind is CascadeStage else path[-2:] == ('decoder', 'decoder')
    return any(key in value and _resolved(value[key]) is kind for key in ('type', 'constructor', 'ema_type'))


# Each name is looked for in all registries, and there are thousands.
_resolved = functools.cache(resolve)


def _description(
    kind: type, settings: Mapping[str, str], config: str, variable: str, keys: list[str], values: Mapping
) -> Iterator[str]:
    command_line = ', '.join(f'`{key}`' for key in keys)
    where = f'`{variable}` in `configs/{config}.py`. With `--cfg-options`: {command_line}.'
    yield from ('', f'### {kind.__name__}', '', _filled(_markdown(inspect.getdoc(kind).partition('\n\n')[0])), '')
    yield from (_filled(where if variable else f'In `configs/{config}.py`: {command_line}.'), '')
    parameters = inspect.signature(kind).parameters
    for name, text in settings.items():
        if name == 'kwargs':
            yield from ('', _filled(f'Also {_markdown(text)}'))
            continue
        value = values
        for part in name.split('.'):
            value = value.get(part, inspect.Parameter.empty) if isinstance(value, Mapping) else inspect.Parameter.empty
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        line = f'- **`{variable or keys[0]}.{name}`**'
        if value is not inspect.Parameter.empty:
            line += f' = `{_shown(value)}`'
        if default not in (inspect.Parameter.empty, value):
            line += f' (default `{_shown(default)}`)'
        yield _filled(f'{line}: {_markdown(text)}', subsequent_indent='  ')


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ', '.join(f'{key}={_shown(own)}' for key, own in value.items() if key != 'type')
        return f'{_shown(value["type"])}(...)' if 'type' in value else f'dict({inner})'
    if isinstance(value, (list, tuple)):
        inner = ', '.join(map(_shown, value))
        return f'({inner},)' if len(value) == 1 else f'({inner})' if len(inner) < 80 else f'{len(value)} entries'
    return value.name if isinstance(value, Skeleton) else getattr(value, '__name__', repr(value))


def _markdown(text: str) -> str:
    """A docstring's text, with its roles and double backticks as code."""
    return re.sub(r'(?::\w+:)?``?~?([^`]+)``?', r'`\1`', ' '.join(text.split()))


def _filled(text: str, **indent: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False, **indent)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition('\n')[0]).parse_args()
    os.environ.pop('CLASSICPOSE_DATA', None)  # it moves the datasets of the configs
    PAGE.write_text(page())


if __name__ == '__main__':
    main()
