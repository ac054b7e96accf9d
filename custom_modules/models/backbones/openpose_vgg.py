from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from collections.abc import Collection
from urllib.error import URLError

import torch
from mmengine.model import BaseModule
from mmengine.model.weight_init import kaiming_init, normal_init
from mmpose.registry import MODELS
from torch import nn

from classicpose.errors import UserError

# Channels and number of the convolutions between VGG-19's poolings.
_VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


@MODELS.register_module()
class OpenPoseVGG(BaseModule):
    """OpenPose's backbone: VGG-19's first ten convolutions, then two that reduce them to 128 channels. Stride 8.

    Cao et al., CVPR 2017, section 2.2. The ImageNet weights expect RGB images normalised with ImageNet's
    mean and deviation.

    Args:
        weights: 'imagenet' takes torchvision's VGG-19 weights and downloads them once into torch's cache; a path names
            a file of them; None starts from random numbers.
        prelu: the last three layers have PReLUs, as in the network of 2019.

    Raises:
        UserError: from ``init_weights``, when the weights are not available or do not fit.
    """

    def __init__(self, weights: str | None = 'imagenet', prelu: bool = False, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.weights = weights
        self.features = self._features()
        self.reduce = self._reduction()
        if prelu:
            self.features[-1] = nn.PReLU(512)
            self.reduce[1], self.reduce[3] = nn.PReLU(256), nn.PReLU(128)

    def _features(self) -> nn.Sequential:
        return _vgg19_layers(range(23))  # conv1_1 to the ReLU of conv4_2

    def _reduction(self) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(512, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 128, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def init_weights(self) -> None:
        """As MMEngine's, then the ImageNet weights."""
        super().init_weights()
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                kaiming_init(layer)
        for layer in self.reduce:
            if isinstance(layer, nn.Conv2d):
                normal_init(layer, std=0.01)
        if self.weights:
            self._load(self.weights)

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """(B, 3, H, W) images to a tuple of one (B, 128, H / 8, W / 8) feature map."""
        return (self.reduce(self.features(inputs)),)

    def _load(self, weights: str) -> None:
        from torchvision.models import VGG19_Weights  # a second of imports that prediction does not need

        remedy = (
            f'download {VGG19_Weights.IMAGENET1K_V1.url} elsewhere and pass '
            '--cfg-options model.backbone.weights=/path/to/the/file, or train from random weights with '
            '--cfg-options model.backbone.weights=None'
        )
        try:
            if weights == 'imagenet':
                state = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
            elif os.path.isfile(weights):
                state = torch.load(weights, map_location='cpu', weights_only=True)
            else:
                raise UserError(f'VGG-19 weights: no file {weights}; {remedy}')
            own = {
                f'features.{index}.{name}'
                for index, layer in self.features.named_children()
                if isinstance(layer, nn.Conv2d)
                for name in layer.state_dict()
            }
            self.load_state_dict({name: state[name] for name in own}, strict=False)
        except (URLError, OSError) as error:
            raise UserError(f'VGG-19 weights: cannot download them ({error}); {remedy}') from error
        except (KeyError, RuntimeError, TypeError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(f"VGG-19 weights: {weights} is not torchvision's vgg19; {remedy}") from error


@MODELS.register_module()
class PoseMachineVGG(OpenPoseVGG):
    """The backbone of OpenPose's hands and faces. Stride 8.

    VGG-19's convolutions up to conv5_2 without the last pooling, then one that reduces them to 128 channels.

    Simon et al., CVPR 2017, section 3. Arguments and errors are those of ``OpenPoseVGG``.
    """

    def __init__(self, weights: str | None = 'imagenet', init_cfg: dict | None = None) -> None:
        super().__init__(weights, init_cfg=init_cfg)

    def _features(self) -> nn.Sequential:
        return _vgg19_layers(set(range(32)) - {27})  # conv1_1 to the ReLU of conv5_2 less the fourth pooling

    def _reduction(self) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(512, 128, 3, padding=1), nn.ReLU(inplace=True))


def _vgg19_layers(indices: Collection[int]) -> nn.Sequential:
    """Those of VGG-19's layers, under torchvision's names, so that its weights fit."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in _VGG19:
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(OrderedDict((str(index), layer) for index, layer in enumerate(layers) if index in indices))
