"""Networks of shipped configs with the same kinds of layers, fewer and narrower."""

from __future__ import annotations

from mmengine.config import ConfigDict
from mmpose.models import HRNet, ResNet
from torch import nn

from custom_modules.models import DeepPoseAlexNet, OpenPoseVGG, PoseMachineHead, PoseMachineVGG


def narrow(layers: nn.Sequential) -> nn.Sequential:
    """The same layers with an eighth of the channels between them; the first one's inputs and the last one's stay."""
    convolutions = [name for name, layer in layers.named_children() if isinstance(layer, nn.Conv2d)]
    channels = 3
    for name in convolutions:
        width = layers.get_submodule(name).out_channels // (1 if name == convolutions[-1] else 8)
        setattr(layers, name, nn.Conv2d(channels, width, 3, padding=1))
        channels = width
    return layers


class NarrowVGG(OpenPoseVGG):
    def _features(self) -> nn.Sequential:
        return narrow(super()._features())


class NarrowPoseMachineVGG(PoseMachineVGG):
    def _features(self) -> nn.Sequential:
        return narrow(super()._features())


NARROW = {OpenPoseVGG: NarrowVGG, PoseMachineVGG: NarrowPoseMachineVGG}


def shrink(backbone: ConfigDict, head: ConfigDict) -> None:
    if backbone.type is ResNet and 'base_channels' not in backbone:
        backbone.update(base_channels=8, stem_channels=8)
        head.in_channels //= 8
    if backbone.type is DeepPoseAlexNet:
        backbone.width = head.in_channels = 64
    if backbone.type is HRNet:
        for stage in backbone.extra.values():
            stage.update(num_modules=1, num_blocks=(1,) * stage.num_branches)
    backbone.type = NARROW.get(backbone.type, backbone.type)
    if head.type is PoseMachineHead:
        head.width = 8
    if 'num_stages' in head:
        head.num_stages = 2  # the others are like the second
    if 'paf_stages' in head:
        head.update(paf_stages=1, heatmap_stages=2, widths=(8, 8), hidden=(8, 8))
