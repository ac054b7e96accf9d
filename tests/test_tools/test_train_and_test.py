"""tools/train.py and tools/test.py from start to end."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import runs
import torch
from command_lines import TOOLS, command, only_error, run_tool
from mmengine.config import Config

from custom_modules.configuration.loading import load_config
from custom_modules.engine import launch
from custom_modules.engine.checkpoints import latest_checkpoint


@pytest.mark.parametrize('tool', sorted(TOOLS.glob('*.py')), ids=lambda path: path.name)
def test_every_tool_answers_help(tool: Path, tmp_path: Path):
    assert 'usage:' in run_tool(tool.name, '--help', cwd=tmp_path).stdout


def test_a_trained_model_is_scored(config: Path, trained: Path, tmp_path: Path):
    run_tool(
        'test.py', config, trained / 'epoch_2.pth', '--out', 'deep/metrics.json',
        '--dump', 'all.pkl', '--show-dir', 'images', cwd=tmp_path,
    )  # fmt: skip

    metrics = json.loads((tmp_path / 'deep/metrics.json').read_text())
    predictions = pickle.loads((tmp_path / 'all.pkl').read_bytes())
    images = {path.stem for path in (tmp_path / 'images').iterdir()}
    assert 0 <= metrics['coco/AP'] <= 1
    assert images == {Path(one['img_path']).stem for one in predictions}
    assert list((tmp_path / 'work_dirs' / config.stem).glob('*/*.log'))


def test_training_goes_on_after_a_kill(config: Path, tmp_path: Path):
    args = ('train.py', config, '--work-dir', tmp_path, '--no-validate')
    options = ['train_cfg.max_epochs=10000', 'default_hooks.checkpoint.max_keep_ckpts=1']
    endless = subprocess.Popen(command(*args, '--cfg-options', *options), cwd=tmp_path, stdout=subprocess.DEVNULL)
    _wait_for(lambda: (tmp_path / 'epoch_3.pth').is_file())
    endless.kill()
    endless.wait()
    killed = _progress(latest_checkpoint(tmp_path))

    options = [f'train_cfg.max_epochs={killed["epoch"] + 1}']
    output = run_tool(*args, '--resume', '--cfg-options', *options, cwd=tmp_path).stdout

    assert f'resumed epoch: {killed["epoch"]}, iter: {killed["iter"]}' in output
    finished = _progress(tmp_path / f'epoch_{killed["epoch"] + 1}.pth')
    assert finished['iter'] - killed['iter'] == killed['iter'] / killed['epoch']


def test_resume_without_a_checkpoint_starts_afresh(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    options = ['train_cfg.max_epochs=1']
    launch.train(config, work_dir=tmp_path, resume='auto', validate=False, options=options)
    assert f'no checkpoint in {tmp_path}' in capsys.readouterr().out
    assert _progress(tmp_path / 'epoch_1.pth')['epoch'] == 1


def test_loaders_processes_end_with_the_run(config: Path, tmp_path: Path) -> None:
    settings = ('num_workers=1', 'persistent_workers=True')
    options = [f'{name}_dataloader.{setting}' for name in ('train', 'val', 'test') for setting in settings]
    launch.train(config, work_dir=tmp_path, options=[*options, 'train_cfg.max_epochs=1'])
    launch.test(config, tmp_path / 'epoch_1.pth', work_dir=tmp_path, options=options)
    assert not multiprocessing.active_children()


def test_two_processes_train_and_test_as_one(config: Path, trained: Path, tmp_path: Path):
    run_tool('train.py', config, '--work-dir', tmp_path, cwd=tmp_path, processes=2)
    assert len(list(tmp_path.glob('*/*.log'))) == 1
    assert Config.fromfile(tmp_path / config.name).model == Config.fromfile(trained / config.name).model
    checkpoint = tmp_path / 'epoch_2.pth'
    assert _progress(checkpoint)['iter'] * 2 == _progress(trained / 'epoch_2.pth')['iter']

    run_tool(
        'test.py', config, checkpoint, '--out', 'metrics.json', '--dump', 'all.pkl',
        cwd=tmp_path, processes=2,
    )  # fmt: skip
    alone = launch.test(config, checkpoint, work_dir=tmp_path, dump=tmp_path / 'alone.pkl')

    assert json.loads((tmp_path / 'metrics.json').read_text()) == pytest.approx(alone)
    assert _tested_images(tmp_path / 'all.pkl') == _tested_images(tmp_path / 'alone.pkl')


def test_two_processes_take_the_step_of_one(config: Path, tmp_path: Path):
    # A learning rate of 1 makes a step of the gradient; statistics of batches would be those of each half.
    options = ['model.backbone.norm_eval=True', 'train_dataloader.dataset.indices=2', 'train_cfg.max_epochs=1']
    options += ['optim_wrapper.optimizer.lr=1.0', 'randomness.seed=0']
    assert runs.train(config, tmp_path / 'two', options=options, processes=2) == [0, 0]
    options += ['train_dataloader.batch_size=2']
    launch.train(config, work_dir=tmp_path / 'one', validate=False, options=options)
    one, two = (torch.load(tmp_path / name / 'epoch_1.pth', weights_only=False) for name in ('one', 'two'))
    assert one['meta']['iter'] == two['meta']['iter'] == 1
    assert one['state_dict'].keys() == two['state_dict'].keys()
    for name, value in one['state_dict'].items():
        torch.testing.assert_close(two['state_dict'][name], value, rtol=0, atol=1e-5)


def test_two_processes_report_a_mistake_once(config: Path, tmp_path: Path):
    options = ['--cfg-options', 'model.no_such_setting=1']
    result = run_tool('train.py', config, *options, cwd=tmp_path, processes=2, status=1)
    own_words = result.stderr.split('Traceback')[0]  # torchrun ends with a traceback of its own
    assert 'no_such_setting' in only_error(own_words)


def _wait_for(condition: Callable[[], bool], timeout: float = 300) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.02)


def _progress(checkpoint: Path) -> dict:
    """The epochs and iterations that a checkpoint has behind it."""
    return torch.load(checkpoint, weights_only=False)['meta']


def _tested_images(dump: Path) -> list[int]:
    return [prediction['img_id'] for prediction in pickle.loads(dump.read_bytes())]


def test_two_runs_of_one_second_share_nothing(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MMEngine names a run's log, numbers and drawings by its config and the second."""
    monkeypatch.setattr(time, 'strftime', lambda *_: '20260101_000000')
    built = []
    for name in 'ab':
        cfg = load_config(config)
        cfg.work_dir = str(tmp_path / name)
        built.append(launch.build_runner(cfg))
    one, other = built
    assert one.logger is not other.logger
    assert one.message_hub is not other.message_hub
    folders = [Path(run.visualizer.get_backend('LocalVisBackend')._save_dir) for run in built]
    assert [folder.parents[1].name for folder in folders] == ['a', 'b']
