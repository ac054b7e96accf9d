from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mmengine.optim import OneCycleLR
from mmengine.runner import Runner
from torch import nn

from classicpose.errors import UserError
from custom_modules.engine.checkpoints import DataOnlyHook, check_state_dict, latest_checkpoint
from custom_modules.engine.runner import PoseRunner


def save(path: Path, age: float = 0) -> Path:
    """An empty checkpoint that was written ``age`` seconds ago."""
    torch.save({}, path)
    os.utime(path, (path.stat().st_mtime - age,) * 2)
    return path


def test_the_noted_checkpoint_is_the_latest(tmp_path: Path):
    assert latest_checkpoint(tmp_path) is None
    noted = save(tmp_path / 'epoch_1.pth', age=10)
    newer = save(tmp_path / 'epoch_2.pth')
    save(tmp_path / 'best_coco_AP_epoch_1.pth')
    assert latest_checkpoint(tmp_path) == newer
    (tmp_path / 'last_checkpoint').write_text(str(noted))
    assert latest_checkpoint(tmp_path) == noted
    (tmp_path / 'last_checkpoint').write_text('/before/it/was/moved/epoch_1.pth')
    assert latest_checkpoint(tmp_path) == noted


def test_incomplete_checkpoints_are_not_resumed_from(tmp_path: Path):
    older = save(tmp_path / 'epoch_1.pth', age=10)
    newer = save(tmp_path / 'epoch_2.pth')
    newer.write_bytes(newer.read_bytes()[:100])
    (tmp_path / 'last_checkpoint').write_text(str(newer))
    assert latest_checkpoint(tmp_path) == older
    (tmp_path / 'last_checkpoint').write_text('')  # killed between opening and writing it
    assert latest_checkpoint(tmp_path) == older


def test_a_save_that_is_cut_short_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch):
    def cut_short(runner: Runner, out_dir: str, filename: str) -> None:
        Path(out_dir, filename).write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, 'save_checkpoint', cut_short)
    old = save(tmp_path / 'epoch_1.pth')
    with pytest.raises(KeyboardInterrupt):
        PoseRunner.__new__(PoseRunner).save_checkpoint(str(tmp_path), 'epoch_1.pth')
    assert torch.load(old) == {}
    assert latest_checkpoint(tmp_path) == old


def test_a_checkpoint_must_have_exactly_the_tensors_of_the_model():
    model = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), norm=nn.BatchNorm1d(3)))
    fitting = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), norm=nn.BatchNorm1d(3)))
    states = fitting.state_dict()
    del states['norm.num_batches_tracked']
    check_state_dict(model, {'state_dict': states}, 'a.pth')
    check_state_dict(model, {f'module.{name}': value for name, value in states.items()}, 'a.pth')

    states['first.weight'] = torch.zeros(3, 9)
    states['second.weight'] = states.pop('first.bias')
    with pytest.raises(UserError) as caught:
        check_state_dict(model, states, 'a.pth')
    assert str(caught.value) == (
        'checkpoint a.pth does not fit this config (model Sequential): of 7 tensors '
        '1 missing (first.bias), 1 unexpected (second.weight), 1 of another shape (first.weight): '
        'use the config it was trained with'
    )


@pytest.mark.parametrize('several', [False, True])
def test_the_state_of_a_scheduler_is_saved_as_data(tmp_path: Path, several: bool):
    def new_scheduler() -> OneCycleLR:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        return OneCycleLR(optimizer, eta_max=1.0, total_steps=10)

    def step(scheduler: OneCycleLR) -> None:
        scheduler.optimizer.step()
        scheduler.step()

    saved, resumed = new_scheduler(), new_scheduler()
    step(saved)
    states = [saved.state_dict()]
    checkpoint = {'param_schedulers': {'net': states} if several else states}
    DataOnlyHook().before_save_checkpoint(None, checkpoint)
    torch.save(states, tmp_path / 'states.pth')
    resumed.load_state_dict(torch.load(tmp_path / 'states.pth', weights_only=True)[0])

    step(saved)
    step(resumed)
    assert resumed.get_last_value() == saved.get_last_value()
