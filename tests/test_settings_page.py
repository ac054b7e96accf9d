"""docs/settings.md is what its tool writes, and says what the classes and the command line accept."""

from __future__ import annotations

import inspect
import re
import runpy

import pytest
from mmengine.config import Config
from shipped_configs import REPOSITORY

from custom_modules.configuration.keys import accepted_arguments, registered_names, resolve
from custom_modules.configuration.loading import load_config

TOOL = runpy.run_path(str(REPOSITORY / 'tools/document_settings.py'))
PAGE = (REPOSITORY / 'docs/settings.md').read_text()


def test_the_page_is_what_the_tool_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('CLASSICPOSE_DATA', raising=False)
    assert TOOL['page']() == PAGE, 'run: python tools/document_settings.py'


def test_every_setting_of_our_classes_is_described() -> None:
    kinds = {kind for kind in map(resolve, registered_names()) if inspect.isclass(kind)}
    for kind in kinds:
        if '__init__' not in vars(kind) or not kind.__module__.startswith('custom_modules.'):
            continue
        names = set(inspect.signature(kind.__init__).parameters) & (accepted_arguments(kind) or set())
        described = {name.partition('.')[0] for name in TOOL['settings_of'](kind)}
        assert names - described <= {'init_cfg', 'model', 'args'}, kind


@pytest.mark.parametrize('text', PAGE.split('\n### ')[1:], ids=lambda text: text.partition('\n')[0])
def test_the_command_line_accepts_every_setting(text: str) -> None:
    where = text.split('\n\n')[2].replace('`--cfg-options`', '')
    config = re.search(r'`(configs/\w+\.py)`', where)[1]
    place = re.findall(r'`([\w.]+)`', where.partition(config)[2])[0]
    settings = re.findall(r'^- \*\*`([\w.]+)`\*\*', text, re.MULTILINE)
    variable = re.match(r'`(\w+)` in', where)
    assert settings
    prefix = variable[1] if variable else place
    load_config(REPOSITORY / config, [f'{place}{setting.removeprefix(prefix)}=None' for setting in settings])


def test_the_values_of_the_first_table() -> None:
    rows = [[cell.strip(' `') for cell in row.split('|')[1:-1]] for row in PAGE.splitlines() if row.startswith('| ')]
    (_, _, *names), *rows = rows
    configs = [load_config(REPOSITORY / f'configs/{name}.py') for name in names]
    assert len(rows) >= 10
    for key, _, *values in rows:
        assert values == [str(value_at(cfg, key)) for cfg in configs]


def value_at(cfg: Config, key: str) -> object:
    for part in key.split('.'):
        cfg = cfg.get(part, {})
    return cfg or ''
