from __future__ import annotations

import re

from mmengine.optim import DefaultOptimWrapperConstructor
from mmpose.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

# The second and later members of a head's list of stages.
_LATER_STAGE = re.compile(r'\.stages\.[1-9]')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OpenPoseOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """OpenPose's learning rates: later stages learn faster, biases twice as fast and without decay.

    Factors of the released solver: stages from the second on 4, biases 2 and no weight decay, both together 8.
        MMEngine's own
    constructor cannot express the product: a parameter that one of its ``custom_keys`` names escapes ``bias_lr_mult``.

    ``paramwise_cfg``: ``later_stages_lr_mult``, ``bias_lr_mult``, ``bias_decay_mult``.
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
