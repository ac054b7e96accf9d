"""Trainings of shipped configs, without a seed, that are stopped anywhere and go on: as if nothing had been."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import runs
import tiny_cascade
import torch
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS
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
def straight(training: Training, processes: int, train: Callable, straight_runs: dict, folder: Path) -> Path:
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
    shown = Counter(_trained_on(straight))
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


@pytest.mark.parametrize('training', [SINGLE], ids=['single'])
def test_two_processes_go_on_where_one_was(training: Training, train: Callable, tmp_path: Path) -> None:
    """Its first four people were seen; the processes see the others, and of the next epoch everybody."""
    work_dir = tmp_path / 'work'
    assert train(work_dir, stop=Stop(signal.SIGINT, 1)) == [130]
    seen = _trained_on(work_dir)[:4]  # a worker reads ahead
    assert train(work_dir, resume=True, processes=2, drawn=1) == [0, 0]
    shown = Counter(seen) + Counter(_trained_on(work_dir))
    assert sum(shown.values()) == 2 * PEOPLE
    assert all(count % 2 == 0 for count in shown.values())
    assert [number for _, number, _ in runs.steps(work_dir)] == [2, 3, 4]


COMBINED = Training(
    'configs/openpose_lite_coco_lsp_flic.py',
    'generated_data',
    (
        'train_dataloader.batch_size=2', 'train_dataloader.num_workers=2', 'train_cfg.max_iters=4',
        'train_cfg.val_interval=4', 'default_hooks.checkpoint.interval=1', 'val_dataloader.num_workers=0',
        'val_dataloader.dataset.indices=1',
    ),
)  # fmt: skip


@pytest.mark.parametrize('training', [COMBINED], ids=['combined'])
def test_several_data_sets_by_iterations(training: Training, train: Callable, tmp_path: Path) -> None:
    """Which samples of a data set stand for it is drawn, too; the average of the weights goes on."""
    assert train(tmp_path / 'straight') == [0], runs.output(tmp_path / 'straight')[-3000:]
    assert train(tmp_path / 'work', stop=Stop(signal.SIGKILL, 2)) == [-signal.SIGKILL]
    assert train(tmp_path / 'work', resume=True, drawn=1) == [0]
    assert runs.steps(tmp_path / 'work') == [('work', *step[1:]) for step in runs.steps(tmp_path / 'straight')[2:]]
    expected, found = (runs.checkpoint(tmp_path / name / 'iter_4.pth') for name in ('straight', 'work'))
    for group in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, found[group][name]) for name, value in expected[group].items())


@pytest.mark.parametrize('training', [CASCADE], ids=['cascade'])
@pytest.mark.parametrize('processes', [2])
def test_errors_are_of_all_people(training: Training, processes: int, straight: Path, folder: Path) -> None:
    """The second stage knows the first's errors on all validation people, not on a process's share."""
    cfg = load_config(folder / training.config, training.options)
    learnt = runs.checkpoint((straight / 'stage_2/finished').read_text())['state_dict']
    cfg.model.stages = cfg.model.stages[:1]
    first = MODELS.build(cfg.model).eval()
    load_weights(first, (straight / 'stage_1/finished').read_text())
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    batch = first.data_preprocessor(pseudo_collate([dataset[index] for index in range(len(dataset))]))
    boxes, keypoints, visible = (
        stacked_field(batch['data_samples'], name, batch['inputs'])
        for name in ('bboxes', 'keypoints', 'keypoints_visible')
    )
    first.measure_errors(first.locate(batch['inputs'], boxes)[-1], keypoints, visible)
    for name in ('error_mean', 'error_covariance'):
        torch.testing.assert_close(learnt[name], getattr(first, name), rtol=1e-3, atol=1e-4)


def _trained_on(work_dir: Path) -> list[str]:
    return [path for path in runs.images_read(work_dir) if '/train2017/' in path]
