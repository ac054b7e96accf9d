from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.model.weight_init import normal_init
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import InstanceList, SampleList
from torch import nn

from classicpose.skeletons import Skeleton

from ...codecs.channels import annotated_channels
from ..losses import MaskedL2Loss


@MODELS.register_module()
class PoseMachineHead(BaseHead):
    """Stages of heatmaps, each of which sees the features and the maps before it; OpenPose's hands and faces.

    Wei et al., "Convolutional pose machines", CVPR 2016, in the form of Simon et al., CVPR 2017. With
    ``PoseMachineVGG`` the network has 36,832,324 parameters for hands and 38,425,706 for faces.

    Args:
        in_channels: the number of channels of the backbone's last feature map.
        decoder: the config of the ``PoseMachineHeatmap`` codec.
        num_stages: the number of stages, at least 1.
        width: the number of channels of the 7x7 convolutions.
        loss: the config of a loss that is called with (output, target, mask).
    """

    def __init__(
        self,
        in_channels: int,
        decoder: dict,
        num_stages: int = 6,
        width: int = 128,
        loss: dict = dict(type=MaskedL2Loss),
        init_cfg: dict = dict(type='Normal', layer='Conv2d', std=0.01),
    ) -> None:
        super().__init__(init_cfg)
        self.decoder = KEYPOINT_CODECS.build(decoder)
        self.loss_module = MODELS.build(loss)
        maps = len(self.skeleton.keypoints) + 1
        self.stages = nn.ModuleList([_layers((in_channels, 4 * width, maps), (1, 1))])
        for _ in range(num_stages - 1):
            self.stages.append(_layers((in_channels + maps, *(width,) * 6, maps), (7,) * 5 + (1, 1)))

    @property
    def skeleton(self) -> Skeleton:
        """Of the hand or face that the codec encodes."""
        return self.decoder.skeleton

    def init_weights(self) -> None:
        """As ``init_cfg`` says, and maps start near zero, as most of their cells end."""
        super().init_weights()
        for stage in self.stages:
            normal_init(stage[-1], std=0.01)

    def stage_maps(self, feats: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Feature maps, of which the last (B, C, H, W) is used, to (B, K + 1, H, W) of every stage, background last."""
        features, maps = feats[-1], []
        for stage in self.stages:
            maps.append(stage(torch.cat([*maps[-1:], features], dim=1)))
        return maps

    def forward(self, feats: Sequence[torch.Tensor]) -> torch.Tensor:
        """The last stage's maps, (B, K + 1, H, W)."""
        return self.stage_maps(feats)[-1]

    def loss(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, train_cfg: ConfigDict | None = None
    ) -> dict:
        """``loss_heatmap_1``, ... of all stages. Unlabelled keypoints cost nothing, nor does the background then."""
        targets = torch.stack([sample.gt_fields.heatmaps for sample in batch_data_samples])
        weights = torch.cat([sample.gt_instance_labels.keypoint_weights for sample in batch_data_samples])
        known, _ = annotated_channels(weights > 0, ())
        mask = known[..., None, None].float()
        return {
            f'loss_heatmap_{number}': self.loss_module(maps, targets, mask)
            for number, maps in enumerate(self.stage_maps(feats), start=1)
        }

    def predict(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, test_cfg: ConfigDict | None = None
    ) -> InstanceList:
        """``keypoints`` (1, K, 2) in input pixels and ``keypoint_scores`` (1, K) of every image.

        With ``flip_test`` the features are also those of the mirrored images, and the maps are averaged.
        """
        if not (test_cfg or {}).get('flip_test', False):
            return self.decode(self.forward(feats))
        maps, mirrored = (self.forward(own) for own in feats)
        channels = [*self.skeleton.flip_indices, len(self.skeleton.keypoints)]
        return self.decode((maps + mirrored[:, channels].flip(-1)) / 2)


def _layers(widths: tuple[int, ...], kernels: tuple[int, ...]) -> nn.Sequential:
    layers = []
    for before, after, kernel in zip(widths, widths[1:], kernels, strict=False):
        layers += [nn.Conv2d(before, after, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])
