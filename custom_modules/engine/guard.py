"""Batches that are not finite never reach the weights."""

from __future__ import annotations

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from ..errors import UserError


@OPTIM_WRAPPERS.register_module()
class GuardedOptimWrapper(OptimWrapper):
    """Skips updates whose loss or gradients are not finite, counts them, and gives up after too many in a row.

    The count so far is logged as ``train/skipped``.

    Args:
        max_skipped: so many skipped updates in a row end the run.
        kwargs: of MMEngine's OptimWrapper.
    """

    def __init__(self, *args: object, max_skipped: int = 20, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.max_skipped = max_skipped
        self.skipped = self._in_a_row = 0

    def update_params(
        self, loss: torch.Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None
    ) -> None:
        """As MMEngine's, or nothing.

        Raises:
            UserError: after ``max_skipped`` updates in a row that were not finite.
        """
        if torch.isfinite(loss).all():
            super().update_params(loss, step_kwargs, zero_kwargs)
        else:
            self._skip('loss')

    def step(self, **kwargs: object) -> None:
        """Clip the gradients and update, if they are finite."""
        gradients = [p.grad for group in self.param_groups for p in group['params'] if p.grad is not None]
        if torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
            self._in_a_row = 0
            super().step(**kwargs)
        else:
            self._skip('gradient')

    def _skip(self, what: str) -> None:
        self.zero_grad()
        self.skipped += 1
        self._in_a_row += 1
        MessageHub.get_current_instance().update_scalar('train/skipped', self.skipped)
        print_log(f'The {what} of this batch is not finite: skipped, {self.skipped} so far.', 'current')
        if self._in_a_row >= self.max_skipped:
            raise UserError(
                f'{self._in_a_row} batches in a row were not finite: lower the learning rate '
                '(--cfg-options optim_wrapper.optimizer.lr=...), or look for broken annotations'
            )
