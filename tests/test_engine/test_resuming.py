"""Trainings of shipped configs, without a seed, that are stopped anywhere and go on: as if nothing had been."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import runs
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS
import tiny_cascade
import torch
from runs import Stop

from custom_modules.configuration.loading import load_config
from custom_modules.engine.checkpoints import load_weights
from custom_modules.models.pose_estimators.deeppose import stacked_field

PEOPLE = 8
SMALL = (
    'train_dataloader.batch_size=2', f'train_dataloader.dataset.indices={PEOPLE}', 'val_dataloader.num_workers=0',
    'val_dataloader.dataset.indices=4', 'default_hooks.checkpoint.interval=1',
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """A shipped config, made small, and its data."""

    config: str
    data: str
    options: tuple[str, ...]

    def last(self, work_dir: Path) -> dict[str, torch.Tensor]:
        """The weights at the end."""
        finished = work_dir / 'stage_3/finished'
        return runs.checkpoint(finished.read_text() if finished.is_file() else work_dir / 'epoch_2.pth')['state_dict']


SINGLE = Training(
    'configs/demo/simplepose_generated.py',
    'generated_data',
    (*SMALL, 'train_cfg.max_epochs=2', 'train_cfg.val_interval=2', 'param_scheduler.total_steps=2'),
)
CASCADE = Training(
    'tiny.py',
    'generated_flic',
    (
        *SMALL, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'param_scheduler.total_steps=1',
        *(f'train_stages.{stage}.train_dataloader.batch_size=2' for stage in (1, 2)),
    ),
)  # fmt: skip
TRAININGS = pytest.mark.parametrize('training', [SINGLE, CASCADE], ids=['single', 'cascade'])
PROCESSES = pytest.mark.parametrize('processes', [1, 2])


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all configs are."""
    folder = tmp_path_factory.mktemp('resuming')
    tiny_cascade.write(folder)
    return folder


@pytest.fixture
def train(folder: Path, training: Training, data: None) -> Callable[..., list[int]]:
    def train(work_dir: Path, **settings: object) -> list[int]:
        return runs.train(folder / training.config, work_dir, options=training.options, **settings)

    return train


@pytest.fixture
def data(training: Training, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(request.getfixturevalue(training.data)))


@pytest.fixture(scope='module')
def straight_runs() -> dict[tuple[Training, int], Path]:
    return {}


@pytest.fixture
def straight(
    training: Training, processes: int, train: Callable, straight_runs: dict, folder: Path
) -> Path:
    """The work dir of a training that nothing stopped."""
    key = training, processes
    if key not in straight_runs:
        work_dir = folder / f'straight_{len(straight_runs)}'
        assert train(work_dir, processes=processes) == [0] * processes, runs.output(work_dir)[-3000:]
        straight_runs[key] = work_dir
    return straight_runs[key]


@TRAININGS
@PROCESSES
def test_straight(training: Training, processes: int, straight: Path) -> None:
    """Every epoch shows everybody once, to one of the processes, and never the same way again."""
    passes = 2 if training is SINGLE else 3
    seen = [step for rank in range(processes) for step in runs.steps(straight, rank)]
    assert len(seen) == passes * PEOPLE // 2
    shown = Counter(path for path in runs.images_read(straight) if '/train2017/' in path)
    if training is SINGLE:
        assert len({digest for *_, digest in seen}) == len(seen)
        assert sum(shown.values()) == passes * PEOPLE
        assert all(count % passes == 0 for count in shown.values())
    assert len({runs.checkpoint(path)['meta']['seed'] for path in straight.rglob('*.pth')}) == 1


@TRAININGS
@PROCESSES
@pytest.mark.parametrize('kind', [signal.SIGTERM, signal.SIGKILL], ids=['interrupted', 'killed'])
def test_stopped(
    training: Training, processes: int, kind: signal.Signals, train: Callable, straight: Path, tmp_path: Path
) -> None:
    """A single network in its first epoch or its second, a cascade in its second stage, killed in the validation."""
    killed = kind is signal.SIGKILL
    an_epoch = PEOPLE // 2 // processes
    if training is SINGLE:
        stop = Stop(kind, an_epoch + 1 if killed else 1)
        left = [('work', number) for number in range(an_epoch if killed else 2, 2 * an_epoch)]
    else:
        stop = Stop(kind, an_epoch - 1, stage=2, validation=True) if killed else Stop(kind, 0, stage=2)
        left = [('stage_2', number) for number in range(an_epoch if killed else 1, an_epoch)]
        left += [('stage_3', number) for number in range(an_epoch)]
    work_dir = tmp_path / 'work'
    expected_end = -signal.SIGKILL if killed else 128 + signal.SIGTERM
    assert train(work_dir, processes=processes, stop=stop) == [expected_end] * processes
    assert train(work_dir, processes=processes, resume=True, drawn=1) == [0] * processes
    for rank in range(processes):
        found, expected = runs.steps(work_dir, rank), runs.steps(straight, rank)
        assert [(stage, number) for stage, number, _ in found] == left
        assert [digest for *_, digest in found] == [digest for *_, digest in expected][-len(left) :]
    expected, found = training.last(straight), training.last(work_dir)
    assert expected.keys() == found.keys()
    differing = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert not differing

