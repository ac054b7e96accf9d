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

from classicpose.errors import UserError
from classicpose.skeletons import Skeleton

from ...codecs.channels import annotated_channels
from ...datasets.batches import TargetBatch

Maps = tuple[torch.Tensor | None, torch.Tensor | None]


class PartAffinityHead(BaseHead):
    """Stages that each predict affinity fields and heatmaps and pass them on to the next.

    The first stage sees the backbone's last feature map, every later one the previous fields, the previous heatmaps and
    that feature map. Subclasses make the stages; a stage is a module that maps its input to (pafs, heatmaps).

    Args:
        decoder: the config of the ``PartAffinityField`` codec, whose skeleton sets the numbers of channels.
        loss: the config of a loss that is called with (output, target, mask).
        heatmap_loss: the config of the heatmaps' loss; without it, ``loss``.
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
            For each stage (B, 2 L, H, W) and (B, K + 1, H, W). A subclass's earlier stages may have None for one of
            them; the last has both.
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
        """``loss_paf_1``, ``loss_heatmap_1``, ``loss_paf_2``, ... of all stages.

        Args:
            feats: as for ``forward``.
            batch_data_samples: samples, or the ``TargetBatch`` of them, with
                ``pafs`` (2 L, H, W) and ``heatmaps`` (K + 1, H, W) and, optionally, ``heatmap_mask`` (1, H, W), 0 where
                nothing is known. ``annotated_keypoints`` (K,) bool, where they have it, are those that a sample's
                dataset labels; the channels of the others, see
                ``annotated_channels``, cost nothing.

        Raises:
            UserError: when the network's stride is not the codec's.
        """
        batch = TargetBatch.of(batch_data_samples)
        heatmap_mask, paf_mask = self._masks(batch)
        losses = {}
        kinds = (
            ('paf', self.loss_module, batch.pafs, paf_mask),
            ('heatmap', self.heatmap_loss_module, batch.heatmaps, heatmap_mask),
        )
        for stage in self.forward(feats):
            for (kind, loss, target, mask), maps in zip(kinds, stage, strict=True):
                if maps is not None:
                    self._check_stride(maps, target)
                    number = 1 + sum(name.startswith(f'loss_{kind}') for name in losses)
                    losses[f'loss_{kind}_{number}'] = loss(maps, target, mask)
        return losses

    def _check_stride(self, maps: torch.Tensor, target: torch.Tensor) -> None:
        (height, width), (rows, columns) = maps.shape[-2:], target.shape[-2:]
        if (height, width) != (rows, columns):
            stride = self.decoder.stride
            raise UserError(
                f'the network has the stride {stride * columns / width:g} (maps of {width}x{height} cells), the codec '
                f'{stride:g} (targets of {columns}x{rows}): take an earlier map of the backbone (out_indices), add a '
                "neck, or change the codec's heatmap_size"
            )

    def _masks(self, batch: TargetBatch) -> Maps:
        """Of the heatmaps (B, 1 or K + 1, H, W) and of the fields (B, 1 or 2 L, H, W); None where all is known."""
        masks = [batch.get('heatmap_mask')] * 2
        if 'annotated_keypoints' in batch:
            channels = annotated_channels(batch.annotated_keypoints, self.skeleton.limbs)
            channels = [known[..., None, None].float() for known in channels]
            masks = [known if mask is None else mask * known for mask, known in zip(masks, channels, strict=True)]
        return tuple(masks)

    def predict(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, test_cfg: ConfigDict | None = None
    ) -> InstanceList:
        """The people that the last stage's maps show, see ``people``."""
        pafs, heatmaps = self.forward(feats)[-1]
        return self.people(heatmaps, pafs)

    def people(
        self, heatmaps: torch.Tensor, pafs: torch.Tensor, sizes: Sequence[tuple[int, int]] | None = None
    ) -> InstanceList:
        """Decode maps, (B, K + 1, H, W) and (B, 2 L, H, W), of which the first (W, H) of ``sizes`` are an image's own.

        Returns:
            For each image ``keypoints`` (P, K, 2) in input pixels, ``keypoint_scores`` (P, K), 0 where a keypoint is
            missing or guessed, and ``bbox_scores`` (P,), the people's scores under the name by which MMPose's metrics
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
