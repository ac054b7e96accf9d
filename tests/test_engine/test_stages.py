"""The stages of a cascade: each starts from the one before, and a resumed run does what is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict

from classicpose.errors import UserError
from custom_modules.engine.stages import stage_configs


def cascade(work_dir: Path) -> Config:
    return Config(
        dict(
            work_dir=str(work_dir),
            model=dict(stages=[dict(input_size=size) for size in (128, 64, 32)]),
            train_cfg=dict(max_epochs=9),
            train_stages=[dict(), {'train_cfg.max_epochs': 4}, dict()],
        )
    )


def run(cfg: Config, resume: bool, stop_in: int | None = None) -> list[Config]:
    """What would be trained, each stage leaving two checkpoints of which the later is better."""
    trained = []
    for stage in stage_configs(cfg, resume):
        trained.append(stage)
        folder = Path(stage.work_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for epoch in (1, 2):
            path = folder / f'best_pdj_auc_epoch_{epoch}.pth'
            torch.save(dict(meta=dict(seed=stage.get('randomness', ConfigDict(seed=7)).seed), state_dict={}), path)
            os.utime(path, (epoch, epoch))
        if len(stage.model.stages) == stop_in:
            break
    return trained


def test_every_stage_starts_from_the_best_of_the_one_before(tmp_path: Path) -> None:
    first, second, third = run(cascade(tmp_path), resume=False)
    assert [len(stage.model.stages) for stage in (first, second, third)] == [1, 2, 3]
    assert [stage.train_cfg.max_epochs for stage in (first, second, third)] == [9, 4, 9]
    assert first.get('load_from') is None
    assert second.load_from == str(tmp_path / 'stage_1/best_pdj_auc_epoch_2.pth')
    assert third.load_from == str(tmp_path / 'stage_2/best_pdj_auc_epoch_2.pth')
    assert third.work_dir == str(tmp_path / 'stage_3')
    assert first.get('randomness') is None
    assert second.randomness.seed == third.randomness.seed == 7  # what the first drew


def test_a_killed_run_goes_on_in_its_stage(tmp_path: Path) -> None:
    run(cascade(tmp_path), resume=False, stop_in=2)
    left = run(cascade(tmp_path), resume=True)
    assert [len(stage.model.stages) for stage in left] == [2, 3]
    assert left[0].load_from == str(tmp_path / 'stage_1/best_pdj_auc_epoch_2.pth')
    assert run(cascade(tmp_path), resume=True) == []


def test_a_damaged_checkpoint_of_the_stage_before_is_named(tmp_path: Path) -> None:
    run(cascade(tmp_path), resume=False, stop_in=2)
    best = tmp_path / 'stage_1/best_pdj_auc_epoch_2.pth'
    best.write_bytes(best.read_bytes()[:100])
    with pytest.raises(UserError, match='stage_1/best_pdj_auc_epoch_2.pth is incomplete'):
        run(cascade(tmp_path), resume=True)


def test_without_resume_everything_is_trained_again(tmp_path: Path) -> None:
    run(cascade(tmp_path), resume=False)
    again = run(cascade(tmp_path), resume=False, stop_in=1)
    assert len(again) == 1
    assert [len(stage.model.stages) for stage in run(cascade(tmp_path), resume=True)] == [1, 2, 3]


def test_a_stage_on_its_own_starts_from_a_given_checkpoint(tmp_path: Path) -> None:
    cfg = cascade(tmp_path)
    cfg.load_from = 'given.pth'
    assert run(cfg, resume=False)[0].load_from == 'given.pth'
