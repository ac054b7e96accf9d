"""Where in its data a training is: what it needs to go on after any checkpoint as if it had never ended."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed

from classicpose.errors import UserError

from ...datasets.order import Stream, TrainingBatches, derived_seed

_SAMPLES_DONE = 'samples_done'  # in a checkpoint's meta: of the epoch that runs, in a training by iterations of all
_VALIDATED = 'last_validation'  # in what MMEngine's message hub keeps: the iteration
_MOST = 2**48


class PositionHook(Hook):
    """Lets a resumed training go on with the samples that were left, in their order, from any checkpoint.

    The randomness of a step is drawn from the training's seed and the step's number, as that of the samples is from
    their positions. A validation that was due when a training ended is done when it goes on.
    """

    # After the hooks that a validation needs.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._samples: Any = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note how far the checkpoint was."""
        self._samples = checkpoint.get('meta', {}).get(_SAMPLES_DONE)

    def before_train(self, runner: Runner) -> None:
        """Leave out what was done, unless only weights were loaded.

        Raises:
            UserError: when the checkpoint says nonsense of it.
        """
        loop = runner.train_loop
        by_iterations = isinstance(loop, IterBasedTrainLoop)
        batches = getattr(loop.dataloader, 'batch_sampler', None)
        # Another loader is another hook's, which exchanged it.
        self._samples_a_batch = batches.samples_a_batch if isinstance(batches, TrainingBatches) else 1
        skipped = self._batches_done(runner, by_iterations) if runner.iter else 0
        self._epoch, self._began = runner.epoch, runner.iter - skipped
        if isinstance(batches, TrainingBatches):
            batches.begin(runner.epoch, skipped, endless=by_iterations)
            if by_iterations:
                loop.dataloader_iterator = Stream(loop.dataloader)
        if _validation_is_due(runner, by_iterations, skipped):
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Note where an epoch begins."""
        if runner.epoch != self._epoch:
            self._epoch, self._began = runner.epoch, runner.iter

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Draw the step's randomness from its number."""
        set_random_seed(derived_seed(runner.seed, 1, get_rank(), runner.iter))

    def before_val(self, runner: Runner) -> None:
        """Note that the validation is done, for the checkpoint that is saved after it."""
        runner.message_hub.update_info(_VALIDATED, runner.iter)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note how far the training is."""
        meta = checkpoint['meta']
        batches = meta['iter'] - self._began if meta['epoch'] == self._epoch else 0
        meta[_SAMPLES_DONE] = batches * self._samples_a_batch

    def _batches_done(self, runner: Runner, by_iterations: bool) -> int:
        if self._samples is None:  # a checkpoint of earlier versions
            return runner.iter if by_iterations else 0
        if not (isinstance(self._samples, int) and 0 <= self._samples <= _MOST):
            raise UserError(
                f'the checkpoint cannot be resumed from (its {_SAMPLES_DONE} is {self._samples!r:.40}): give another'
            )
        return self._samples // self._samples_a_batch


def _validation_is_due(runner: Runner, by_iterations: bool, skipped: int) -> bool:
    """Whether a training that goes on ended before the validation of the steps it had done."""
    loop = runner.train_loop
    if not runner.iter or runner.val_loop is None or runner.message_hub.runtime_info.get(_VALIDATED) == runner.iter:
        return False
    loop._decide_current_val_interval()
    done, last = (loop.iter, loop.max_iters) if by_iterations else (loop.epoch, loop.max_epochs)
    if not by_iterations and skipped:
        return False
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)
