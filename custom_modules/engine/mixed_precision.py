"""Mixed precision, on GPUs and without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner.amp import autocast
from mmpose.models.heads.base_head import BaseHead
from torch import nn

from classicpose.errors import UserError

from .optim import GuardedOptimWrapper
from .wrapping import extend, unwrapped


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(GuardedOptimWrapper):
    """Runs the forward pass in bfloat16, on GPUs and on CPUs, whose only half precision it is.

    MMEngine's AmpOptimWrapper refuses to be built without a GPU. bfloat16 has the range of float32, so no
    loss is scaled.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward pass."""
        head = getattr(unwrapped(model), 'head', None)
        if isinstance(head, BaseHead) and not isinstance(head, _Float32Outputs):
            extend(head, _Float32Outputs)
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


class _Float32Outputs:
    """A head of MMPose's whose outputs are float32 where they are a tensor or a tuple of them.

    Such heads turn them into NumPy arrays to report an accuracy, and NumPy has no bfloat16.
    """

    def forward(self, *args: object) -> object:
        outputs = super().forward(*args)
        if isinstance(outputs, tuple):
            return tuple(output.float() for output in outputs)
        return outputs.float() if isinstance(outputs, torch.Tensor) else outputs


def set_precision(cfg: Config, amp: bool) -> None:
    """Mixed precision if ``amp`` or the config wants it, of the kind that this machine can do.

    ``amp`` means bfloat16, and float16 with a scaled loss on GPUs that lack it. A config's own AmpOptimWrapper stays as
    it is on a GPU.

    Raises:
        UserError: when the config's optimizer wrapper has no mixed precision counterpart, or the GPU lacks its type.
    """
    wrapper = cfg.get('optim_wrapper')
    if wrapper is None:
        return
    kind = wrapper.get('type', OptimWrapper)
    name = kind if isinstance(kind, str) else kind.__name__
    if amp and name not in (OptimWrapper.__name__, GuardedOptimWrapper.__name__, AmpOptimWrapper.__name__):
        raise UserError(f'--amp works with OptimWrapper, but optim_wrapper.type is {name}: leave out --amp')
    if not amp and name != AmpOptimWrapper.__name__:
        return
    has_gpu = torch.cuda.is_available()
    has_bfloat16 = not has_gpu or torch.cuda.is_bf16_supported(including_emulation=False)
    if wrapper.get('dtype') == 'bfloat16' and not has_bfloat16:
        raise UserError('optim_wrapper.dtype: this GPU has no bfloat16; leave it out, and the run is in float16')
    if has_gpu and (name == AmpOptimWrapper.__name__ or not has_bfloat16):
        wrapper.type = AmpOptimWrapper.__name__
        wrapper.setdefault('loss_scale', 'dynamic')
    else:
        wrapper.type = BFloat16OptimWrapper.__name__
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)
