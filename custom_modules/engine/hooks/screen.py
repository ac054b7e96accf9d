"""What a training or a test shows on the screen beside its log."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop
from mmengine.visualization import TensorboardVisBackend

from classicpose.progress import Meter

from ..outputs import key_metric
from ..wrapping import unwrapped


class ScreenHook(Hook):
    """Shows on standard output what is run, a bar of progress, and a table of the metrics.

    Where that is no terminal, each interval of the LoggerHook prints a line instead of the bar.

    It is a context manager, at whose end there is no bar, whatever has ended the run.
    """

    # Before the checkpoint of a validation is saved, and that is told.
    priority = 'LOW'

    def __init__(self) -> None:
        self._training: Meter | None = None
        self._evaluation: Meter | None = None
        self._metric = ''

    def __enter__(self) -> ScreenHook:
        """Nothing is shown before the run begins."""
        return self

    def __exit__(self, *error: object) -> None:
        """Take away the bar."""
        for meter in filter(None, (self._evaluation, self._training)):
            meter.__exit__(*error)

    def before_run(self, runner: Any) -> None:
        """Say what is run."""
        runner.logger.info('\n'.join(f'{name:12} {text}' for name, text in _facts(runner).items()))

    def before_train(self, runner: Any) -> None:
        """Begin the bar, at the iterations that a resumed training has behind it."""
        self._interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 1)
        self._training = Meter('iter', runner.max_iters, file=sys.stdout, between_lines=math.inf)
        self._training.step(runner.iter)
        self._training.__enter__()

    def after_train_iter(self, runner: Any, batch_idx: int, *_: object, **__: object) -> None:
        """Count; losses are read where the LoggerHook reads them, because that waits for a GPU."""
        done = runner.iter + 1
        if done % self._interval and done != runner.max_iters:
            self._training.step(done)
            return
        epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
        label = f'epoch {runner.epoch + 1}/{runner.max_epochs}  iter' if epochs else 'iter'
        self._training.step(done, note=self._note(runner), description=label)
        self._training.show()

    def before_val_epoch(self, runner: Any) -> None:
        """A bar of its own, while that of the training waits."""
        if self._training:
            self._training.__exit__()
        self._evaluate('val', runner.val_dataloader)

    def before_test_epoch(self, runner: Any) -> None:
        """Begin the bar."""
        self._evaluate('test', runner.test_dataloader)

    def after_val_iter(self, runner: Any, batch_idx: int, *_: object, **__: object) -> None:
        """Count."""
        self._evaluation.step(batch_idx + 1)

    after_test_iter = after_val_iter

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Print the metrics as a table."""
        self._evaluation.__exit__()
        self._evaluation = None
        metrics = metrics or {}
        if self._training:
            print(f'after iter {runner.iter}:')
        print(*metric_table(metrics), sep='\n', flush=True)
        if self._training:
            if numbers := _numbers(metrics):
                name = key_metric(runner.cfg, numbers)
                self._metric = f'{name} {numbers[name]:.3f}'
            self._training.__enter__()

    after_test_epoch = after_val_epoch

    def _evaluate(self, label: str, loader: Sequence) -> None:
        self._evaluation = Meter(label, len(loader), file=sys.stdout)
        self._evaluation.__enter__()

    def _note(self, runner: Any) -> str:
        scalars, window = runner.message_hub.log_scalars, runner.log_processor.window_size
        parts = []
        if 'train/loss' in scalars:
            parts.append(f'loss {scalars["train/loss"].mean(window):.4g}')
        if 'train/lr' in scalars:
            parts.append(f'lr {scalars["train/lr"].current():.1e}')
        return '  '.join(filter(None, (*parts, self._metric)))


def metric_table(metrics: Mapping[str, Any]) -> list[str]:
    """Metrics as lines, the numbers of one kind below each other.

    A metric's name gives its place: ``pdj/elbow@0.2`` is in the row elbow and the column 0.2 of a table pdj,
    ``coco/AP .5`` in AP and .5 of coco, ``pcp/strict/lower_arm`` in lower_arm and strict of pcp. ``left_`` and
    ``right_`` are left out where their mean is there.
    """
    numbers = _numbers(metrics)
    # Tables whose rows name their columns.
    named = {name.rpartition('/')[0] for name in numbers if re.search('[@ ]', name)}
    tables: dict[str, dict[str, dict[str, float]]] = {}
    for name, value in numbers.items():
        table, _, row = name.rpartition('/')
        if table in named:
            row, _, column = row.replace('@', ' ').partition(' ')
        else:
            table, _, column = table.rpartition('/') if '/' in table else (table, '', '')
        tables.setdefault(table, {}).setdefault(row, {})[column] = value
    return [line for table, rows in tables.items() for line in _table(table, rows)]


def _table(title: str, every_row: Mapping[str, Mapping[str, float]]) -> list[str]:
    sides = {side + name for name in every_row for side in ('left_', 'right_')}
    rows = {name: row for name, row in every_row.items() if name not in sides}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    width = max(map(len, (title, *rows)))
    lines = [f'  {title:{width}}' + ''.join(f'{column:>8}' for column in columns)]
    for name, row in rows.items():
        cells = (f'{row[column]:8.3f}' if column in row else ' ' * 8 for column in columns)
        lines.append(f'  {name:{width}}' + ''.join(cells))
    return [line.rstrip() for line in lines if line.strip()]


def _numbers(metrics: Mapping[str, Any]) -> dict[str, Real]:
    return {name: value for name, value in metrics.items() if isinstance(value, Real)}


def _facts(runner: Any) -> dict[str, str]:
    """What a run is of, in a line each."""
    training = runner.cfg.get('train_cfg') is not None
    model = unwrapped(runner.model)
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    facts = dict(model=f'{type(model).__name__}, {sum(size for size, _ in sizes):,} parameters')
    if training:
        facts['model'] += f', {sum(size for size, trained in sizes if trained):,} of them trained'
        batch = runner.cfg.train_dataloader.get('batch_size')
        facts['data'] = f'{len(runner.train_dataloader.dataset):,} samples for training'
        facts['data'] += f', {batch} a batch' if batch else ''
        if runner.cfg.get('val_cfg') is not None:
            facts['data'] += f'; {len(runner.val_dataloader.dataset):,} for validation'
    else:
        facts['data'] = f'{len(runner.test_dataloader.dataset):,} samples for testing'
    facts['device'] = _device()
    work_dir = _seen_from_here(runner.work_dir)
    facts['work dir'] = f'{work_dir}, with the whole log in {_seen_from_here(runner.logger.log_file, runner.work_dir)}'
    if training:
        if any(isinstance(backend, TensorboardVisBackend) for backend in runner.visualizer._vis_backends.values()):
            facts['TensorBoard'] = f'tensorboard --logdir {work_dir}'
        facts['to stop'] = 'Ctrl-C, which saves a checkpoint; with --resume the same command goes on from there'
    return facts


def _device() -> str:
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        name = f'CPU, no GPU was found, {torch.get_num_threads()} threads a process'
    processes = get_world_size()
    return f'{name}, {processes} processes' if processes > 1 else name


def _seen_from_here(path: str, folder: str | Path | None = None) -> Path:
    here = Path(folder or Path.cwd()).absolute()
    path = Path(path).absolute()
    return path.relative_to(here) if path.is_relative_to(here) else path
