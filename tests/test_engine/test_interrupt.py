"""Trainings that are stopped, in whatever way, go on as if nothing had been."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from shipped_configs import REPOSITORY

sys.path.insert(0, str(REPOSITORY / 'tests/test_tools'))

import tiny_run

from custom_modules.engine import launch
from custom_modules.engine.checkpoints import latest_checkpoint
from custom_modules.engine.hooks import interrupt
from custom_modules.engine.runner import PoseRunner

OPTIONS = ['train_cfg.max_epochs=3', 'randomness.seed=0']


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tiny_run.write(tmp_path)


def weights(work_dir: Path) -> dict[str, torch.Tensor]:
    return torch.load(work_dir / 'epoch_3.pth', weights_only=False)['state_dict']


@pytest.mark.parametrize(
    ('kind', 'stopped'), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)], ids=['SIGTERM', 'SIGINT']
)
def test_a_signal_in_the_middle_of_an_epoch(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: signal.Signals, stopped: type
) -> None:
    launch.train(config, work_dir=tmp_path / 'whole', validate=False, options=OPTIONS)
    train_step = interrupt.InterruptHook.before_train_iter

    def kill(self: object, runner: PoseRunner, *args: object, **kwargs: object) -> None:
        train_step(self, runner, *args, **kwargs)
        if runner.iter == 5:
            os.kill(os.getpid(), kind)

    monkeypatch.setattr(interrupt.InterruptHook, 'before_train_iter', kill)
    before = signal.getsignal(kind)
    with pytest.raises(stopped):
        launch.train(config, work_dir=tmp_path / 'work', validate=False, options=OPTIONS)
    monkeypatch.undo()
    assert signal.getsignal(kind) is before
    assert latest_checkpoint(tmp_path / 'work') == tmp_path / 'work/iter_6.pth'

    launch.train(config, work_dir=tmp_path / 'work', validate=False, options=OPTIONS, resume=launch.RESUME_LATEST)
    expected, found = weights(tmp_path / 'whole'), weights(tmp_path / 'work')
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_finished_training_says_so(config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for resume in (None, launch.RESUME_LATEST):
        launch.train(config, work_dir=tmp_path / 'work', validate=False, options=OPTIONS, resume=resume)
    logs = [path.read_text() for path in sorted((tmp_path / 'work').glob('*/*.log'))]
    assert 'this training is finished, after 3 epochs and 12 iterations' in ''.join(logs)
