"""Logs read back: several starts as one run, what a kill leaves, and what the best epoch is told by."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from mmengine.visualization import LocalVisBackend

from classicpose.errors import UserError
from custom_modules.visualization.curves import panels, plot_runs, read_runs, run_names, table


def training(iteration: int, loss: float, epoch: int | None = None, **values: float) -> dict:
    return dict(loss=loss, lr=0.1, time=1.0, **values, **({'epoch': epoch} if epoch else {}), iter=iteration)


def write(work_dir: Path, *lines: dict, start: str = '20260101_000000', config: str = '') -> Path:
    """What a run leaves that was started in ``work_dir``, by MMEngine's own writer; the log's path."""
    backend = LocalVisBackend(str(work_dir / start / 'vis_data'))
    for line in lines:
        step = line.get('step', line.get('iter'))
        backend.add_scalars(dict(line), step=step, file_path=f'{start}.json')
    if config:
        (work_dir / start / 'vis_data/config.py').write_text(config)
    return work_dir / start / 'vis_data/scalars.json'


def by_epochs(*values: float, metric: str = 'coco/AP', first: int = 1) -> list[dict]:
    """A line of training and one of validation for each epoch of ten iterations; the loss is 1 / epoch."""
    lines = []
    for epoch, value in enumerate(values, start=first):
        lines.append(training(10 * epoch, 1 / epoch, epoch))
        lines.append({metric: value, 'time': 1.0, 'data_time': 0.1, 'step': epoch})
    return lines


def test_epochs(tmp_path: Path) -> None:
    write(tmp_path, *by_epochs(0.1, 0.4, 0.4, 0.3))
    (run,) = read_runs(tmp_path)
    assert run.monitor == 'coco/AP'
    assert run.curve('loss') == ([10, 20, 30, 40], [1, 1 / 2, 1 / 3, 1 / 4])
    assert run.curve('coco/AP') == ([10, 20, 30, 40], [0.1, 0.4, 0.4, 0.3])
    assert run.curve('coco/AP', by_epoch=True) == ([1, 2, 3, 4], [0.1, 0.4, 0.4, 0.3])
    assert run.best()['epoch'] == 2


def test_in_training_by_iterations_a_validation_lies_where_training_was(tmp_path: Path) -> None:
    write(tmp_path, training(50, 3.0), training(100, 2.0), {'coco/AP': 0.2, 'step': 0}, training(150, 1.0),
          training(200, 0.5), {'coco/AP': 0.1, 'step': 0})  # fmt: skip
    (run,) = read_runs(tmp_path)
    assert not run.by_epoch
    assert run.curve('coco/AP') == ([100, 200], [0.2, 0.1])
    assert run.best()['iter'] == 100


def test_a_resumed_run_is_one_curve_and_its_later_values_win(tmp_path: Path) -> None:
    killed = write(tmp_path, *by_epochs(0.1, 0.2, 0.9))
    with killed.open('a') as file:
        file.write('{"loss": 0.0')
    # From the checkpoint of the first epoch; written under a name that sorts later.
    write(tmp_path, *by_epochs(0.3, 0.5, 0.4, first=2), start='20260102_000000')
    (run,) = read_runs(tmp_path)
    assert run.curve('coco/AP', by_epoch=True) == ([1, 2, 3, 4], [0.1, 0.3, 0.5, 0.4])
    assert run.curve('loss')[0] == [10, 20, 30, 40]
    assert run.best()['epoch'] == 3


def test_a_validation_before_the_first_line_after_resuming_replaces_nothing_earlier(tmp_path: Path) -> None:
    write(tmp_path, training(50, 3.0), training(100, 2.0), {'AP': 0.2, 'step': 0})
    write(tmp_path, {'AP': 0.3, 'step': 0}, training(150, 1.0), start='20260102_000000')
    (run,) = read_runs(tmp_path)
    assert run.curve('loss') == ([50, 100, 150], [3, 2, 1])
    assert run.curve('AP') == ([100, 150], [0.2, 0.3])


def test_stages_of_a_cascade_are_runs_of_their_own(tmp_path: Path) -> None:
    for number in (2, 1, 10):
        write(tmp_path / f'cascade/stage_{number}', *by_epochs(number / 10))
    (tmp_path / 'cascade/stage_3').mkdir()  # not begun
    (tmp_path / 'cascade/20260101_000000/vis_data').mkdir(parents=True)  # of a test run
    runs = read_runs(tmp_path / 'cascade')
    assert run_names(runs) == ['stage_1', 'stage_2', 'stage_10']
    assert [run.best()['coco/AP'] for run in runs] == [0.1, 0.2, 1.0]
    write(tmp_path / 'other', *by_epochs(0.5))
    runs += read_runs(tmp_path / 'other')
    assert run_names(runs) == ['cascade/stage_1', 'cascade/stage_2', 'cascade/stage_10', 'other']


def test_a_file_and_a_folder_say_the_same(tmp_path: Path) -> None:
    log = write(tmp_path, *by_epochs(0.1, 0.2))
    log_of_the_hook = log.with_name('20260101_000000.json')
    curves = [read_runs(path)[0].curve('coco/AP') for path in (log, log_of_the_hook, log.parents[1], tmp_path)]
    assert curves == [([10, 20], [0.1, 0.2])] * 4
    log.unlink()
    assert read_runs(tmp_path)[0].curve('coco/AP') == curves[0]


@pytest.mark.parametrize(
    ('config', 'monitor', 'epoch'),
    [
        ('', 'up', 2),
        ("default_hooks = dict(checkpoint=dict(save_best='auto'))", 'up', 2),
        ("default_hooks = dict(checkpoint=dict(save_best=['other', 'up']))", 'other', 3),
        ("default_hooks = dict(checkpoint=dict(save_best='other', rule='less'))", 'other', 2),
        ("default_hooks = dict(checkpoint=dict(save_best='error/mean'))", 'error/mean', 3),
        ('default_hooks = dict(checkpoint=None)', 'up', 2),
    ],
)
def test_what_the_best_epoch_is_told_by(config: str, monitor: str, epoch: int, tmp_path: Path) -> None:
    values = {'error/mean': (0.5, 0.4, 0.3), 'up': (float('nan'), 3, 2), 'other': (2, 1, 3)}
    lines = [training(epoch, 1.0, epoch) for epoch in (1, 2, 3)]
    for index, line in reversed(list(enumerate(lines))):
        lines.insert(index + 1, {name: three[index] for name, three in values.items()} | {'step': line['epoch']})
    write(tmp_path, *lines, config=config)
    (run,) = read_runs(tmp_path)
    assert run.monitor == monitor
    assert run.best()['epoch'] == epoch


def test_the_work_dirs_own_config_will_do(tmp_path: Path) -> None:
    write(tmp_path, *by_epochs(0.1), {'b': 1, 'step': 1})
    (tmp_path / 'my_config.py').write_text("default_hooks = dict(checkpoint=dict(save_best='b'))")
    assert read_runs(tmp_path)[0].monitor == 'b'
    (tmp_path / 'my_config.py').write_text('default_hooks = dict(')
    with pytest.raises(UserError, match=r'my_config\.py cannot be read'):
        read_runs(tmp_path)


def test_the_table(tmp_path: Path) -> None:
    write(tmp_path / 'long', *by_epochs(0.1, 0.41, 0.32))
    write(tmp_path / 'short', training(50, 0.12345), training(100, float('nan')))
    write(tmp_path / 'iterations', training(50, 3.0), {'b/AP': 0.25, 'step': 0})
    runs = [run for name in ('long', 'short', 'iterations') for run in read_runs(tmp_path / name)]
    header, *rows = table(runs).splitlines()
    assert [row.split() for row in rows] == [
        ['long', 'coco/AP', '0.41', 'epoch', '2', '0.32', '3', '30', '0.3333'],
        ['short', '-', '-', '-', '-', '-', '100', 'nan'],
        ['iterations', 'b/AP', '0.25', 'iter', '50', '0.25', '-', '50', '3'],
    ]
    # Words begin, and numbers end, where their heading does.
    assert header.index('at') == rows[0].index('epoch 2') == rows[2].index('iter 50')
    assert header.index('iterations') + len('iterations') == rows[0].index(' 30 ') + 3


def test_panels(tmp_path: Path) -> None:
    lines = by_epochs(0.1, 0.2)
    lines[0].update(loss_x=1.0, acc=0.5)
    write(tmp_path / 'a', *lines)
    write(tmp_path / 'b', *by_epochs(0.3, metric='pdj/auc'))
    runs = [run for name in 'ab' for run in read_runs(tmp_path / name)]
    assert panels(runs) == {'losses': ['loss'], 'metrics': ['coco/AP', 'pdj/auc']}
    keys = ['pdj/auc', 'lr', 'loss_x', 'loss', 'acc']
    assert panels(runs, keys) == {'metrics': ['pdj/auc'], 'lr': ['lr'], 'losses': ['loss_x', 'loss'], 'acc': ['acc']}
    with pytest.raises(UserError, match=r'--keys los: no run logged it: did you mean loss.*coco/AP, pdj/auc$'):
        panels(runs, ['los'])
    with pytest.raises(UserError, match='choose --keys of lr, time'):
        panels([read_runs(write(tmp_path / 'c', dict(lr=0.1, time=1.0, iter=1)))[0]])


def test_the_image_shows_every_run_and_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / 'a', *by_epochs(0.1, 0.4, 0.2))
    write(tmp_path / 'b', training(50, 1e4), {'coco/AP': 0.6, 'step': 0}, training(100, 1.0))
    runs = [run for name in 'ab' for run in read_runs(tmp_path / name)]
    shown = []
    monkeypatch.setattr('matplotlib.figure.Figure.savefig', lambda figure, *args, **kwargs: shown.append(figure))
    plot_runs(runs, tmp_path / 'curves.png')
    losses, metrics = shown[0].axes
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ['a', 'b']
    assert losses.get_yscale() == 'log'
    # One of the runs knows no epochs.
    assert metrics.get_xlabel() == 'iteration'
    assert [text.get_text() for text in metrics.get_legend().get_texts()] == ['a, best 0.4', 'b, best 0.6']
    assert [list(line.get_xdata()) for line in metrics.lines] == [[20], [10, 20, 30], [50], [50]]

    plot_runs(runs[:1], tmp_path / 'curves.png')
    losses, metrics = shown[1].axes
    assert metrics.get_xlabel() == 'epoch'
    assert losses.get_legend() is None
    assert losses.get_yscale() == 'linear'


def test_the_image_is_written(tmp_path: Path) -> None:
    runs = read_runs(write(tmp_path, *by_epochs(0.1, 0.4, 0.2)))
    plot_runs(runs, tmp_path / 'curves.png')
    assert cv2.imread(str(tmp_path / 'curves.png')).std() > 10
    with pytest.raises(UserError, match='cannot write .*none/curves.png'):
        plot_runs(runs, tmp_path / 'none/curves.png')


def test_where_there_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='none does not exist'):
        read_runs(tmp_path / 'none')
    with pytest.raises(UserError, match='has no logs'):
        read_runs(tmp_path)
    write(tmp_path, {}).write_text('{"half')
    with pytest.raises(UserError, match='has no logs'):
        read_runs(tmp_path)


@pytest.mark.parametrize('line', ['{"loss": 0.5, "iter', '\0\0\0', '[1, 2]', '{"loss": 0.5}', '3'])
def test_a_damaged_line(line: str, tmp_path: Path) -> None:
    log = write(tmp_path, *by_epochs(0.1))
    whole = log.read_text()
    log.write_text(whole + line)
    assert read_runs(tmp_path)[0].curve('coco/AP') == ([10], [0.1])
    log.write_text(whole + line + '\n' + json.dumps(dict(training(20, 1.0, 2), step=20)))
    with pytest.raises(UserError, match=r"scalars\.json, line 3 is not a line of MMEngine's log"):
        read_runs(tmp_path)
