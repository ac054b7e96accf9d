from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmpose.models import BottomupPoseEstimator
from mmpose.registry import MODELS
from mmpose.utils.typing import InstanceList, PixelDataList, SampleList

from classicpose.paf import flip_maps

from .scales import scales_in


@MODELS.register_module()
class OpenPoseEstimator(BottomupPoseEstimator):
    """A backbone and a head of affinity fields, with test-time augmentation by averaging maps.

    Args:
        test_cfg: ``flip_test``: also predict on the mirrored image. ``scales``: predict on the image at each of these
            factors of its size, (1.0,) by default. The maps are averaged on the grid of scale 1, so let the test
            pipeline resize to the largest size and give factors up to 1. ``output_maps``: return the averaged maps as
            ``pred_fields`` with ``heatmaps`` (K, H, W), ``background`` (1, H, W), which MMPose would draw over all
            keypoints, and ``pafs`` (2 L, H, W).
        kwargs: those of MMPose's BottomupPoseEstimator: ``backbone``, ``neck``, ``head``, ``data_preprocessor``, ...
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        scales_in(self.test_cfg)  # a mistake is told before the first image
        # Convolutions follow their weights' layout; this one is faster on CPUs and under mixed precision.
        self.to(memory_format=torch.channels_last)

    def predict(self, inputs: torch.Tensor, data_samples: SampleList) -> SampleList:
        """Find the people in a batch of images.

        Args:
            inputs: (B, 3, H, W), H and W multiples of the stride.
            data_samples: with ``input_size``, ``input_center`` and ``input_scale``, which lead back to the image.

        Returns:
            The samples with ``pred_instances``: ``keypoints`` (P, K, 2) in the image's own pixels, (0, 0) where a
            keypoint is missing, ``keypoint_scores`` (P, K), 0 where it is missing or guessed, and ``bbox_scores`` (P,).
        """
        heatmaps, pafs = self.predict_maps(inputs)
        # Images of a batch are padded to the largest of them; people are looked for in their own part.
        stride = self.head.decoder.stride
        sizes = [tuple(int(np.ceil(size / stride)) for size in sample.input_size) for sample in data_samples]
        people = self.head.people(heatmaps, pafs, sizes)
        fields = [
            PixelData(
                heatmaps=own[:-1, :height, :width],
                background=own[-1:, :height, :width],
                pafs=own_pafs[:, :height, :width],
            )
            for own, own_pafs, (width, height) in zip(heatmaps, pafs, sizes, strict=True)
        ]
        return self.add_pred_to_datasample(
            people, fields if self.test_cfg.get('output_maps', False) else None, data_samples
        )

    def predict_maps(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Heatmaps (B, K + 1, H / s, W / s) and fields (B, 2 L, H / s, W / s), means over scales and mirror images."""
        views = list(self._views(inputs))
        heatmaps, pafs = (sum(maps) / len(views) for maps in zip(*views, strict=True))
        return heatmaps, pafs

    def _views(self, inputs: torch.Tensor) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        stride = int(self.head.decoder.stride)
        grid = inputs.shape[-2] // stride, inputs.shape[-1] // stride
        for scale in scales_in(self.test_cfg):
            scaled = _scale_inputs(inputs, scale, stride)
            pafs, heatmaps = self.head(self.extract_feat(scaled))[-1]
            yield tuple(_resample(maps, scale, grid) for maps in (heatmaps, pafs))
            if self.test_cfg.get('flip_test', False):
                pafs, heatmaps = self.head(self.extract_feat(scaled.flip(-1)))[-1]
                flipped = flip_maps(heatmaps, pafs, self.head.skeleton)
                yield tuple(_resample(maps, scale, grid) for maps in flipped)

    def add_pred_to_datasample(
        self,
        batch_pred_instances: InstanceList,
        batch_pred_fields: PixelDataList | None,
        batch_data_samples: SampleList,
    ) -> SampleList:
        """Add the people, in the image's own pixels, and their maps to the samples."""
        missing = [(instances.keypoints == 0).all(axis=-1) for instances in batch_pred_instances]
        samples = super().add_pred_to_datasample(batch_pred_instances, batch_pred_fields, batch_data_samples)
        for sample, nowhere in zip(samples, missing, strict=True):
            sample.pred_instances.keypoints[nowhere] = 0  # in the image's pixels too
        return samples


def _scale_inputs(inputs: torch.Tensor, scale: float, stride: int) -> torch.Tensor:
    """Images at another size, padded at the right and below to multiples of the stride."""
    if scale == 1:
        return inputs
    scaled = F.interpolate(inputs, scale_factor=scale, mode='bilinear', antialias=True)
    height, width = scaled.shape[-2:]
    return F.pad(scaled, (0, -width % stride, 0, -height % stride))


def _resample(maps: torch.Tensor, scale: float, grid: tuple[int, int]) -> torch.Tensor:
    """Maps of a scaled image on the (H, W) grid of the unscaled one: cell g lies at (g + 0.5) * scale - 0.5 here."""
    if scale == 1:
        return maps
    height, width = (scale * size / own for size, own in zip(grid, maps.shape[-2:], strict=True))
    theta = maps.new_tensor([[width, 0, width - 1], [0, height, height - 1]]).expand(len(maps), 2, 3)
    points = F.affine_grid(theta, [len(maps), 1, *grid], align_corners=False)
    return F.grid_sample(maps, points, mode='bicubic', padding_mode='border', align_corners=False)
