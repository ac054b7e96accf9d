"""A whole cascade through the command lines, on synthetic people in FLIC's format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import tiny_cascade
from command_lines import only_error, run_tool

OPTIONS = (
    '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'param_scheduler.total_steps=1',
    'default_hooks.checkpoint.interval=1',
)  # fmt: skip


@pytest.fixture(scope='module')
def cascade(tmp_path_factory: pytest.TempPathFactory, generated_flic: Path) -> Path:
    """A folder with a config of three stages of one epoch."""
    folder = tmp_path_factory.mktemp('cascade')
    tiny_cascade.write(folder)
    (folder / 'data').symlink_to(generated_flic)
    return folder


def test_one_command_trains_all_stages_and_resumes_in_any(cascade: Path) -> None:
    result = run_tool('train.py', 'tiny.py', '--work-dir', 'work', *OPTIONS, cwd=cascade)
    assert (result.stdout + result.stderr).count('Errors of the stages before') == 2
    # A stage begins with the weights of those before, of which the screen tells in a line.
    assert re.search(
        r'missing keys in source state_dict: \d\d, from stages.2.backbone.\S+ to stages.2.head.\S+\n', result.stdout
    )
    finished = [cascade / f'work/stage_{number}/finished' for number in (1, 2, 3)]
    checkpoints = [Path(path.read_text()) for path in finished]
    assert all((cascade / path).is_file() for path in checkpoints)
    written = [(cascade / path).stat().st_mtime_ns for path in checkpoints]
    for path in finished:  # each stage has curves of its own
        assert list(path.parent.glob('*/vis_data/events.out.*'))

    # As if it had been killed in its third stage, after that had begun.
    finished[2].unlink()
    result = run_tool('train.py', 'tiny.py', '--work-dir', 'work', '--resume', *OPTIONS, cwd=cascade)
    assert finished[2].is_file()
    assert [(cascade / path).stat().st_mtime_ns for path in checkpoints[:2]] == written[:2]
    assert 'Errors of the stages before' not in result.stdout + result.stderr  # the checkpoint knew them

    written = ['--out', 'metrics.json', '--dump', 'people.pkl']
    run_tool('test.py', 'tiny.py', checkpoints[2], '--work-dir', 'work', *written, cwd=cascade)
    metrics = json.loads((cascade / 'metrics.json').read_text())
    assert {'stage_1/pdj/mean@0.2', 'stage_2/pdj/elbow@0.1', 'pdj/wrist@0.05', 'pcp/strict/lower_arm'} <= set(metrics)
    assert all(0 <= value <= 1 for value in metrics.values())
    run_tool('show_cascade.py', 'people.pkl', 'images', cwd=cascade)
    assert {path.name for path in (cascade / 'images').iterdir()} == {
        'best_to_worst.jpg',
        'movements.jpg',
        'pdj.png',
    }


def test_a_cascade_needs_validation_people_and_resumes_by_itself(cascade: Path) -> None:
    result = run_tool('train.py', 'tiny.py', '--work-dir', 'none', '--no-validate', cwd=cascade, status=2)
    assert 'leave out --no-validate' in only_error(result.stderr)
    result = run_tool('train.py', 'tiny.py', '--work-dir', 'none', '--resume', 'some.pth', cwd=cascade, status=2)
    assert 'give --resume alone' in only_error(result.stderr)
