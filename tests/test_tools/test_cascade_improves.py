"""The demo of the cascade through the command lines: every stage helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import run_tool
from shipped_configs import REPOSITORY

from custom_modules.engine import launch

FEWER_PEOPLE = """
from mmengine.config import read_base

with read_base():
    from .configs.demo.deeppose_generated import *

train_cfg.update(max_epochs=8, val_interval=8)
param_scheduler.update(total_steps=8)
for stage in train_stages[1:]:
    stage.update({'train_cfg.max_epochs': 4, 'train_cfg.val_interval': 4, 'param_scheduler.total_steps': 4})
del stage
"""


@pytest.mark.slow
def test_every_stage_is_better_than_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo on a quarter of its people, each shown more often; in this process, which no limit ends."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').symlink_to(REPOSITORY / 'configs')
    (tmp_path / 'fewer.py').write_text(FEWER_PEOPLE)
    run_tool('generate_data.py', 'data/flic', '--format', 'flic', '--train', '500', '--val', '200', cwd=tmp_path)
    launch.train('fewer.py', work_dir='work')
    metrics = launch.test('fewer.py', Path('work/stage_3/finished').read_text(), work_dir='work')
    for threshold in (0.1, 0.2):
        first, second, third = (metrics[f'{prefix}pdj/mean@{threshold}'] for prefix in ('stage_1/', 'stage_2/', ''))
        assert first < second < third
