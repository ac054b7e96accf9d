"""Trainings by the command line's function, of one or two processes, that are stopped in the middle and go on."""

from __future__ import annotations

import os
import signal
import socket
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copies
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from classicpose.errors import report_errors
from custom_modules.datasets.transforms import loading
from custom_modules.engine import launch
from custom_modules.engine.runner import PoseRunner

_SECONDS = 300  # the machine may be busy
_STEPS, _IMAGES, _OUTPUT = 'steps', 'images', 'output'


@dataclass(frozen=True)
class Stop:
    """A signal at the beginning of an iteration.

    Attributes:
        kind: SIGKILL goes to all processes, others to the last of them alone.
        iteration: counted from 0.
        stage: of a cascade.
        validation: in the validation after the iteration instead.
    """

    kind: signal.Signals
    iteration: int
    stage: int = 1
    validation: bool = False


class _Recorder(Hook):
    """Writes down what every step is trained on, and stops the training."""

    def __init__(self, folder: Path, stop: Stop | None, last: bool) -> None:
        self._folder, self._stop, self._last = folder, stop, last

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        inputs = data_batch['inputs']
        digest = zlib.crc32(b''.join(image.numpy().tobytes() for image in inputs))
        _append(self._folder / f'{_STEPS}_{runner.rank}', f'{Path(runner.work_dir).name} {runner.iter} {digest}')
        self._stop_at(runner, runner.iter, validation=False)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        self._stop_at(runner, runner.iter - 1, validation=True)

    def _stop_at(self, runner: Runner, iteration: int, validation: bool) -> None:
        stop = self._stop
        if stop is None or (iteration, validation) != (stop.iteration, stop.validation):
            return
        stage = len(getattr(runner.model, 'module', runner.model).stages) if 'stage' in runner.work_dir else 1
        if stage == stop.stage and (self._last or stop.kind is signal.SIGKILL):
            self._stop = None
            os.kill(os.getpid(), stop.kind)


def train(
    path: Path,
    work_dir: Path,
    *,
    options: Sequence[str],
    resume: bool = False,
    processes: int = 1,
    stop: Stop | None = None,
    drawn: int = 0,
) -> list[int]:
    """Train as tools/train.py does. The exit statuses of the processes, minus the signal that ended one.

    What a run draws at its beginning, its seed, is drawn from ``drawn``. ``work_dir`` then also holds what
    :func:`steps` and :func:`images_read` tell of this part of the training.
    """
    work_dir.mkdir(exist_ok=True)
    for earlier in work_dir.glob(f'{_STEPS}_*'):
        earlier.unlink()
    (work_dir / _IMAGES).write_text('')
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]

    (work_dir / _OUTPUT).write_text('')
    settings = dict(work_dir=work_dir, resume=launch.RESUME_LATEST if resume else None, options=options)
    children = [
        copies.start(
            _train, path, settings, _Recorder(work_dir, stop, last=rank == processes - 1), drawn, rank, processes, port,
            folder=Path.cwd(), output=work_dir / _OUTPUT, errors=work_dir / _OUTPUT,
        )
        for rank in range(processes)
    ]  # fmt: skip
    end = time.monotonic() + _SECONDS
    for child in children:
        child.join(max(end - time.monotonic(), 0))
    statuses = [child.exitcode for child in children]
    for child in children:
        copies.kill(child)
    assert None not in statuses, f'a training hangs: {output(work_dir)[-2000:]}'
    return statuses


def _train(
    path: Path, settings: dict[str, Any], recorder: _Recorder, drawn: int, rank: int, processes: int, port: int
) -> None:
    if processes > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes), MASTER_ADDR='localhost',
            MASTER_PORT=str(port),
        )  # fmt: skip
    np.random.seed(drawn)
    _watch(recorder, settings['work_dir'] / _IMAGES)
    with report_errors():
        launch.train(path, launcher='pytorch' if processes > 1 else 'none', **settings)


def steps(work_dir: Path, rank: int = 0) -> list[tuple[str, int, int]]:
    """The stage, iteration and a digest of the network's input of every step of the last part of a training."""
    lines = (work_dir / f'{_STEPS}_{rank}').read_text().splitlines()
    return [(stage, int(number), int(digest)) for stage, number, digest in map(str.split, lines)]


def images_read(work_dir: Path) -> list[str]:
    """The image files that were read in the last part of a training, by all processes."""
    return (work_dir / _IMAGES).read_text().splitlines()


def output(work_dir: Path) -> str:
    """What the last part of a training printed."""
    return (work_dir / _OUTPUT).read_text()


def checkpoint(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=False)


def _append(path: Path, line: str) -> None:
    with path.open('a') as file:
        file.write(f'{line}\n')


def _watch(recorder: Hook, log: Path) -> None:
    register, read = PoseRunner.register_hooks, loading.read_image

    def register_hooks(self: PoseRunner, *args: object, **kwargs: object) -> None:
        register(self, *args, **kwargs)
        self.register_hook(recorder)

    def read_image(path: str) -> Any:
        _append(log, path)
        return read(path)

    PoseRunner.register_hooks, loading.read_image = register_hooks, read_image
