"""MMPose's single-person heads without the accuracy that they compute in every training step.

That accuracy is computed in NumPy: a GPU waits for it, and it knows no bfloat16. These heads also read the targets of a
``TargetBatch`` as they are, where MMPose's put them together sample by sample.
Everything else, the losses too, is MMPose's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmpose.models import HeatmapHead, RegressionHead, RLEHead, RTMCCHead, SimCCHead
from mmpose.registry import MODELS
from mmpose.utils.typing import SampleList

from ...datasets.batches import TargetBatch


class _BatchLoss:
    def loss(
        self, feats: Sequence[torch.Tensor], batch_data_samples: SampleList, train_cfg: ConfigDict | None = None
    ) -> dict[str, torch.Tensor]:
        """``loss_kpt``, as MMPose's head of that name has it.

        Args:
            feats: the backbone's or the neck's maps.
            batch_data_samples: samples of one person each, or the
                ``TargetBatch`` of them.
        """
        batch = TargetBatch.of(batch_data_samples)
        outputs = self.forward(feats)
        return dict(loss_kpt=self._loss_of(outputs, batch, batch.keypoint_weights.flatten(0, 1)))

    def _loss_of(self, outputs: Any, batch: TargetBatch, weights: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


@MODELS.register_module()
class BatchHeatmapHead(_BatchLoss, HeatmapHead):
    """MMPose's HeatmapHead without the accuracy."""

    def _loss_of(self, outputs: torch.Tensor, batch: TargetBatch, weights: torch.Tensor) -> torch.Tensor:
        return self.loss_module(outputs, batch.heatmaps, weights)


class _BatchSimCCLoss(_BatchLoss):
    def _loss_of(
        self, outputs: tuple[torch.Tensor, torch.Tensor], batch: TargetBatch, weights: torch.Tensor
    ) -> torch.Tensor:
        labels = batch.keypoint_x_labels.flatten(0, 1), batch.keypoint_y_labels.flatten(0, 1)
        return self.loss_module(outputs, labels, weights)


@MODELS.register_module()
class BatchSimCCHead(_BatchSimCCLoss, SimCCHead):
    """MMPose's SimCCHead without the accuracy."""


@MODELS.register_module()
class BatchRTMCCHead(_BatchSimCCLoss, RTMCCHead):
    """MMPose's RTMCCHead without the accuracy."""


@MODELS.register_module()
class BatchRegressionHead(_BatchLoss, RegressionHead):
    """MMPose's RegressionHead without the accuracy."""

    def _loss_of(self, outputs: torch.Tensor, batch: TargetBatch, weights: torch.Tensor) -> torch.Tensor:
        return self.loss_module(outputs, batch.keypoint_labels.flatten(0, 1), weights.unsqueeze(-1))


@MODELS.register_module()
class BatchRLEHead(_BatchLoss, RLEHead):
    """MMPose's RLEHead without the accuracy."""

    def _loss_of(self, outputs: torch.Tensor, batch: TargetBatch, weights: torch.Tensor) -> torch.Tensor:
        labels = batch.keypoint_labels.flatten(0, 1)
        return self.loss_module(outputs[..., :2], outputs[..., 2:4], labels, weights.unsqueeze(-1))
