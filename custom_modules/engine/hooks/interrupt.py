"""Trainings that are told to stop leave a checkpoint, from which they go on in the middle of an epoch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from classicpose.files import write_whole

_BATCHES_DONE = 'batches_done_in_epoch'  # in a checkpoint's meta


class InterruptHook(Hook):
    """Ends a training that gets SIGTERM or SIGINT after the iteration that runs, with a checkpoint ``iter_<N>.pth``.

    A second signal ends it at once. A resumed training leaves out the batches of the epoch that it has seen.

    Raises:
        KeyboardInterrupt: after SIGINT.
        SystemExit: after SIGTERM, with a shell's status for it.
    """

    # After the hooks that change what is saved.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._received: int | None = None
        self._done = 0

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Note how far into an epoch the checkpoint was."""
        self._done = checkpoint.get('meta', {}).get(_BATCHES_DONE, 0)

    def before_train(self, runner: Any) -> None:
        """Listen to signals, and leave out what was done in the first epoch."""
        if self._done and runner.iter:  # else its weights were loaded for another training
            runner.train_loop.dataloader = _Rest(runner.train_loop.dataloader, self._done)
        if threading.current_thread() is threading.main_thread():
            self._previous = {kind: signal.signal(kind, self._note) for kind in (signal.SIGTERM, signal.SIGINT)}

    def after_train(self, runner: Any) -> None:
        """Leave the signals to whom they were."""
        for kind, handler in getattr(self, '_previous', {}).items():
            signal.signal(kind, handler)

    def after_train_iter(self, runner: Any, batch_idx: int, *_: object, **__: object) -> None:
        """Save and stop if a signal came."""
        if self._received is None:
            return
        name, loop, meta = f'iter_{runner.iter + 1}.pth', runner.train_loop, {}
        if isinstance(loop, EpochBasedTrainLoop):
            meta[_BATCHES_DONE] = batch_idx + 1 + getattr(loop.dataloader, 'skipped', 0)
        runner.save_checkpoint(runner.work_dir, name, meta=meta, by_epoch=False)
        if is_main_process():
            path = Path(runner.work_dir, name)
            write_whole(path.with_name('last_checkpoint'), lambda note: note.write_text(str(path)))
        runner.logger.info(f'{signal.Signals(self._received).name}: saved {name}; --resume goes on from there')
        self.after_train(runner)
        if self._received == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self._received)

    def _note(self, kind: int, _: object) -> None:
        if self._received is not None:
            raise KeyboardInterrupt
        self._received = kind


class _Rest:
    """A data loader that leaves out its first batches when it is iterated over for the first time."""

    def __init__(self, loader: DataLoader, count: int) -> None:
        self._loader = loader
        self._count = count
        self.skipped = 0  # of the epoch that runs

    def __iter__(self) -> Iterator:
        self.skipped, self._count = self._count, 0
        return islice(iter(self._loader), self.skipped, None)

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
