"""What a training and a test show on the screen: a few lines, a bar, a table. The log file has it all."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY
from terminals import drawn_on

from custom_modules.engine.hooks.screen import metric_table

CONFIG = REPOSITORY / 'configs/demo/openpose_generated.py'
SHORT = [
    'train_cfg.max_iters=4', 'train_cfg.val_interval=2', 'default_hooks.logger.interval=2',
    'train_dataloader.batch_size=1', 'train_dataloader.num_workers=0', 'param_scheduler.total_steps=4',
    'val_dataloader.dataset.indices=1', 'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
]  # fmt: skip
HEADER = ['model', 'data', 'device', 'work dir', 'TensorBoard', 'to stop']


@pytest.fixture(scope='module')
def environment(generated_data: Path) -> dict[str, str]:
    return os.environ | dict(CLASSICPOSE_DATA=str(generated_data), OMP_NUM_THREADS='1')


def command(tool: str, *args: object) -> list[str]:
    return [sys.executable, str(REPOSITORY / 'tools' / tool), *map(str, args)]


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('screen')


@pytest.fixture(scope='module')
def lines(work_dir: Path, environment: dict[str, str]) -> list[str]:
    """What a short training writes to a file."""
    line = command('train.py', CONFIG, '--work-dir', 'work', '--cfg-options', *SHORT)
    done = subprocess.run(line, cwd=work_dir, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.splitlines()


def test_a_training_tells_what_it_is_in_few_lines(lines: list[str], work_dir: Path) -> None:
    assert len(lines) < 25
    assert [line[:12].strip() for line in lines[:6]] == HEADER
    assert re.search(r' \d+ samples for training, 1 a batch; 1 for validation$', lines[1])
    log = re.fullmatch(r'work dir +work, with the whole log in (.+\.log)', lines[3]).group(1)
    text = (work_dir / 'work' / log).read_text()
    # MMEngine's environment, config and hooks, its warnings, and what COCO's evaluation prints.
    for part in ('GCC:', 'train_cfg=dict(', 'LoggerHook', 'requires_grad=False', 'Iter(train)', 'index created!'):
        assert part in text
        assert part not in '\n'.join(lines)


def test_its_lines_and_tables_have_the_numbers_of_the_log(lines: list[str], work_dir: Path) -> None:
    (scalars,) = (work_dir / 'work').glob('*/vis_data/scalars.json')
    entries = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [f'{entry["loss"]:.4g}' for entry in entries if 'loss' in entry]
    assert [re.search('loss (.+?)  lr ', line).group(1) for line in lines if line.startswith('iter ')] == losses
    assert [line.split('  ')[0] for line in lines if line.startswith('iter ')] == ['iter 2/4', 'iter 4/4']
    tables = [index for index, line in enumerate(lines) if line.split()[:1] == ['coco']]
    logged = [entry for entry in entries if 'coco/AP' in entry]
    assert len(tables) == len(logged) == 2
    for index, entry in zip(tables, logged, strict=True):
        assert lines[index].split() == ['coco', '.5', '.75', '(M)', '(L)']
        for line, name in zip(lines[index + 1 :], ('AP', 'AR'), strict=False):
            keys = ('', ' .5', ' .75', ' (M)', ' (L)')
            assert line.split() == [name, *(f'{entry[f"coco/{name}{key}"]:.3f}' for key in keys)]


def test_a_test_on_a_terminal_has_a_bar(lines: list[str], work_dir: Path, environment: dict[str, str]) -> None:
    main, terminal = pty.openpty()
    line = command('test.py', CONFIG, 'work/iter_4.pth', '--work-dir', 'work', '--cfg-options', *SHORT[-3:])
    line = [word.replace('val_dataloader', 'test_dataloader') for word in line]
    process = subprocess.Popen(
        line, cwd=work_dir, env=environment | dict(TERM='xterm', COLUMNS='120'), stdout=terminal,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(terminal)
    drawn = drawn_on(main)
    assert process.wait() == 0, process.stderr.read()
    bar, table = drawn.index('━'), drawn.index('(M)')
    assert drawn.index('1 samples for testing') < bar < table
    assert '0/1' in drawn[:table]
    assert '━' not in drawn[table:]


def test_a_table_has_rows_by_joint_and_limb() -> None:
    metrics = {
        'pdj/left_elbow@0.1': 0.5, 'pdj/elbow@0.1': 0.25, 'pdj/mean@0.1': 0.125,
        'pdj/left_elbow@0.2': 1.0, 'pdj/elbow@0.2': 0.75, 'pdj/mean@0.2': 0.5, 'pdj/auc': 0.375,
        'pcp/strict/left_lower_arm': 0.1, 'pcp/strict/lower_arm': 0.2, 'pcp/loose/lower_arm': 0.3,
        'pcp/loose/left_shoulder-hip': 0.4, 'stage_1/pdj/elbow@0.1': 0.5, 'stage_1/pdj/auc': 0.25,
        'PCK': 1.0, 'curve': [1, 2],
    }  # fmt: skip
    assert [line.split() for line in metric_table(metrics)] == [
        ['pdj', '0.1', '0.2'],
        ['elbow', '0.250', '0.750'],
        ['mean', '0.125', '0.500'],
        ['auc', '0.375'],
        ['pcp', 'strict', 'loose'],
        ['lower_arm', '0.200', '0.300'],
        ['left_shoulder-hip', '0.400'],
        ['stage_1/pdj', '0.1'],
        ['elbow', '0.500'],
        ['auc', '0.250'],
        ['PCK', '1.000'],
    ]
