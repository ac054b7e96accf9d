"""Trainings that are told to stop leave a checkpoint, from which they go on."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.hooks import Hook

from classicpose.files import write_whole


class InterruptHook(Hook):
    """Ends a training that gets SIGTERM or SIGINT after the iteration that runs, with a checkpoint ``iter_<N>.pth``.

    Of several processes all end after the same iteration, whichever gets the signal. A second signal ends a process at
    once.

    Raises:
        KeyboardInterrupt: after SIGINT.
        SystemExit: after SIGTERM, with a shell's status for it.
    """

    # After the hooks that change what is saved.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._received = 0
        self._previous: dict[int, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Listen to signals."""
        # Not over a GPU, which would have to be waited for.
        self._group = torch.distributed.new_group(backend='gloo') if is_distributed() else None
        if threading.current_thread() is threading.main_thread():
            self._previous = {kind: signal.signal(kind, self._note) for kind in (signal.SIGTERM, signal.SIGINT)}

    def after_train(self, runner: Any) -> None:
        """Stop if a signal came in the last validation; leave the signals to whom they were."""
        received = self._agreed()
        self._leave_signals()
        _stop(received)

    def after_train_iter(self, runner: Any, batch_idx: int, *_: object, **__: object) -> None:
        """Save and stop if a signal came."""
        received = self._agreed()
        if not received:
            return
        name = f'iter_{runner.iter + 1}.pth'
        runner.save_checkpoint(runner.work_dir, name, by_epoch=False)
        if is_main_process():
            path = Path(runner.work_dir, name)
            write_whole(path.with_name('last_checkpoint'), lambda note: note.write_text(str(path)))
        barrier()  # a launcher ends all processes when one has ended
        runner.logger.info(f'{signal.Signals(received).name}: saved {name}; --resume goes on from there')
        self._leave_signals()
        _stop(received)

    def _agreed(self) -> int:
        """A signal that any process has received, 0 where none has."""
        if self._group is None:
            return self._received
        received = torch.tensor(self._received)
        torch.distributed.all_reduce(received, torch.distributed.ReduceOp.MAX, group=self._group)
        return int(received)

    def _leave_signals(self) -> None:
        for kind, handler in self._previous.items():
            signal.signal(kind, handler)

    def _note(self, kind: int, _: object) -> None:
        if self._received:
            raise KeyboardInterrupt
        self._received = kind


def _stop(received: int) -> None:
    if received == signal.SIGINT:
        raise KeyboardInterrupt
    if received:
        raise SystemExit(128 + received)
