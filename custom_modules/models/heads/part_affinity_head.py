from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import InstanceList, SampleList
from torch import nn

from ...skeletons import Skeleton

Maps = tuple[torch.Tensor, torch.Tensor]


class PartAffinityHead(BaseHead):
    """Stages that each predict affinity fields and heatmaps and pass them on to the next.

    The first stage sees the backbone's last feature map, every later one the previous fields, the previous heatmaps and
    that feature map. Subclasses make the stages; a stage is a module that maps its input to (pafs, heatmaps).

    Args:
        decoder: config of the :class:`PartAffinityField` codec, whose skeleton sets the numbers of channels.
        loss: config of a loss called with (output, target, mask).
        heatmap_loss: that of the heatmaps, where it is another than the fields'.
    """

    def __init__(
        self,
        decoder: dict,
        loss: dict,
        heatmap_loss: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.decoder = KEYPOINT_CODECS.build(decoder)
        self.loss_module = MODELS.build(loss)
        self.heatmap_loss_module = MODELS.build(heatmap_loss or loss)
        self.stages = nn.ModuleList()

    @property
    def skeleton(self) -> Skeleton:
        """The body model that the codec encodes."""
        return self.decoder.skeleton

    @property
    def paf_channels(self) -> int:
        """2 L: x and y of each limb."""
        return 2 * len(self.skeleton.limbs)

    @property
    def heatmap_channels(self) -> int:
        """K + 1: the background comes last."""
        return len(self.skeleton.keypoints) + 1

    def forward(self, feats: Sequence[torch.Tensor]) -> list[Maps]:
        """Feature maps, of which the last (B, C, H, W) is used, to (pafs, heatmaps) of every stage.

        Returns:
            For each stage (B, 2 L, H, W) and (B, K + 1, H, W).
        """
        features = feats[-1]
        outputs, inputs = [], features
        for stage in self.stages:
            pafs, heatmaps = stage(inputs)
            outputs.append((pafs, heatmaps))
            inputs = torch.cat([pafs, heatmaps, features], dim=1)
        return outputs

    def loss(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, train_cfg: ConfigDict | None = None
    ) -> dict:
        """``loss_paf_1``, ``loss_heatmap_1``, ``loss_paf_2``, ... of all stages, from the samples' ``gt_fields``:
        ``pafs`` (2 L, H, W), ``heatmaps`` (K + 1, H, W) and, optionally, ``heatmap_mask`` (1, H, W), 0 where nothing
        is known.
        """
        fields = [sample.gt_fields for sample in batch_data_samples]
        target_pafs = torch.stack([field.pafs for field in fields])
        target_heatmaps = torch.stack([field.heatmaps for field in fields])
        mask = torch.stack([field.heatmap_mask for field in fields]) if 'heatmap_mask' in fields[0] else None
        losses = {}
        for number, (pafs, heatmaps) in enumerate(self.forward(feats), start=1):
            losses[f'loss_paf_{number}'] = self.loss_module(pafs, target_pafs, mask)
            losses[f'loss_heatmap_{number}'] = self.heatmap_loss_module(heatmaps, target_heatmaps, mask)
        return losses

    def predict(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, test_cfg: ConfigDict | None = None
    ) -> InstanceList:
        """The people that the last stage's maps show, see :meth:`people`."""
        pafs, heatmaps = self.forward(feats)[-1]
        return self.people(heatmaps, pafs)

    def people(
        self, heatmaps: torch.Tensor, pafs: torch.Tensor, sizes: Sequence[tuple[int, int]] | None = None
    ) -> InstanceList:
        """Decode maps, (B, K + 1, H, W) and (B, 2 L, H, W), of which the first (W, H) of ``sizes`` are an image's own.

        Returns:
            For each image ``keypoints`` (P, K, 2) in input pixels, ``keypoint_scores`` (P, K), 0 where a keypoint
            is missing, and ``bbox_scores`` (P,), the people's own scores under the name by which MMPose's metrics
            rank them.
        """
        return [
            InstanceData(
                keypoints=keypoints,
                keypoint_scores=keypoint_scores,
                keypoints_visible=(keypoint_scores > 0).astype(np.float32),
                bbox_scores=instance_scores,
            )
            for keypoints, keypoint_scores, instance_scores in self.decoder.batch_decode((heatmaps, pafs), sizes)
        ]
