"""Optimizers: OpenPose's learning rates, groups of parameters, batches that are not finite."""

from __future__ import annotations

import re

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from classicpose.errors import UserError

# The second and later members of a head's list of stages.
_LATER_STAGE = re.compile(r'\.stages\.[1-9]')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OpenPoseOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """OpenPose's learning rates: later stages learn faster, biases twice as fast and without decay.

    Factors of the released solver: 4 for stages from the second on, 2 and no weight decay for biases, 8 for biases of
    later stages. MMEngine's own constructor cannot express the product: a parameter that one of its ``custom_keys``
    names escapes ``bias_lr_mult``.

    Args:
        paramwise_cfg: ``later_stages_lr_mult``: factor of the learning rate in stages from the second on.
            ``bias_lr_mult``: factor of the learning rate of biases. ``bias_decay_mult``: factor of the weight decay of
            biases.
    """

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: object) -> None:
        factors = self.paramwise_cfg
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                key = _LATER_STAGE.search(name) is not None, name.endswith('.bias')
                groups.setdefault(key, []).append(parameter)
        for (later, bias), members in groups.items():
            lr = (
                self.base_lr
                * (factors['later_stages_lr_mult'] if later else 1)
                * (factors['bias_lr_mult'] if bias else 1)
            )
            decay = (self.base_wd or 0) * (factors['bias_decay_mult'] if bias else 1)
            params.append(dict(params=members, lr=lr, weight_decay=decay))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, whose parameters share a group where their settings are the same.

    MMEngine makes a group of every parameter, and an optimizer, a schedule and a fused kernel go from group to group.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: object) -> None:
        """Add the module's parameters to ``params``, the optimizer's groups."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix:
            return  # a part of the model: the whole is grouped at the end
        groups: dict[tuple, dict] = {}
        for single in params:
            settings = {name: value for name, value in single.items() if name != 'params'}
            group = groups.setdefault(tuple(sorted(settings.items())), dict(settings, params=[]))
            group['params'] += single['params']
        params[:] = groups.values()


@OPTIM_WRAPPERS.register_module()
class GuardedOptimWrapper(OptimWrapper):
    """Skips updates whose gradients are not finite, counts them, and gives up after too many in a row.

    The count so far is logged as ``train/skipped``. Nothing waits for a GPU where the optimizer is a fused one: that
    leaves out an update by itself, as in mixed precision with scaled losses, and the count is one step late.

    Args:
        max_skipped: the run ends after this many skipped updates in a row.
        kwargs: those of MMEngine's OptimWrapper: ``optimizer``, ``clip_grad``, ``accumulative_counts``, ...
    """

    def __init__(self, *args: object, max_skipped: int = 20, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.max_skipped = max_skipped
        self.skipped = self._in_a_row = 0
        self._norm: torch.Tensor | None = None
        self._last: _OnItsWay | None = None

    def step(self, **kwargs: object) -> None:
        """Clip the gradients and update, if they are finite.

        Raises:
            UserError: after ``max_skipped`` updates in a row that were not finite.
        """
        gradients = [p.grad for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        self._norm = torch.nn.utils.get_total_norm(gradients)
        skip = ~torch.isfinite(self._norm)
        if all(group.get('fused') for group in self.optimizer.param_groups):
            self.optimizer.grad_scale, self.optimizer.found_inf = None, skip.float()
            super().step(**kwargs)
            del self.optimizer.grad_scale, self.optimizer.found_inf
            skip, self._last = (self._last, _OnItsWay(skip)) if skip.is_cuda else (skip, None)
        elif not skip:
            super().step(**kwargs)
        if skip is not None:
            self._count(skip.item())

    def _clip_grad(self) -> None:
        settings = self.clip_grad_kwargs
        if self.clip_func is not torch.nn.utils.clip_grad_norm_ or settings.get('norm_type', 2) != 2:
            super()._clip_grad()
            return
        # MMEngine computes the norm again, and waits for it.
        parameters = [p for group in self.optimizer.param_groups for p in group['params']]
        torch.nn.utils.clip_grads_with_norm_(parameters, settings['max_norm'], self._norm)
        self.message_hub.update_scalar(f'train/{self.grad_name}', self._norm)

    def _count(self, skipped: bool) -> None:
        if not skipped:
            self._in_a_row = 0
            return
        self.skipped += 1
        self._in_a_row += 1
        MessageHub.get_current_instance().update_scalar('train/skipped', self.skipped)
        print_log(f'The gradients of this batch are not finite: skipped, {self.skipped} so far.', 'current')
        if self._in_a_row >= self.max_skipped:
            raise UserError(
                f'{self._in_a_row} batches in a row were not finite: lower the learning rate '
                '(--cfg-options optim_wrapper.optimizer.lr=...), or look for broken annotations'
            )


class _OnItsWay:
    """A number that is being copied from the GPU."""

    def __init__(self, number: torch.Tensor) -> None:
        self._copy = torch.empty_like(number, device='cpu', pin_memory=True).copy_(number, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record()

    def item(self) -> float:
        """The number, once it is here; what the GPU was told to do later is not waited for."""
        self._copied.synchronize()
        return self._copy.item()
