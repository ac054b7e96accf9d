"""A trained model and the test pipeline of its config, ready to predict."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.models import BottomupPoseEstimator
from mmpose.structures import PoseDataSample

from classicpose.networks.estimators import BottomUpSettings, Found, Sample
from classicpose.networks.windows import Window

from ..configuration.explain import explained_config_errors
from ..configuration.loading import load_config
from ..configuration.skeleton import find_skeleton
from ..datasets.transforms import ResizeToHeight
from .model import load_model, pick_device, steps_after_loading


class TrainedEstimator:
    """An :class:`~classicpose.networks.estimators.Estimator` of PyTorch's.

    Args:
        config: the config that the model was trained with.
        checkpoint: its weights (.pth), or its network (.onnx).
        settings: of a bottom-up network, what is to be another than in the config.
        device: 'cpu', 'cuda', ...; by default a GPU where there is one.
        options: ``key=value`` settings that override the config.

    Raises:
        UserError: when a file is missing, broken or of another model.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path,
        settings: BottomUpSettings | None = None,
        device: str | torch.device | None = None,
        options: Sequence[str] = (),
    ) -> None:
        settings = settings or BottomUpSettings()
        cfg = load_config(config, options)
        self._explained = functools.partial(explained_config_errors, cfg)
        with self._explained():
            init_default_scope(cfg.get('default_scope') or 'mmpose')
            self.model = load_model(cfg, checkpoint).to(pick_device(device)).eval()
        self.bottom_up = isinstance(self.model, BottomupPoseEstimator)
        with self._explained():
            self.skeleton = find_skeleton(self.model, cfg)
            self._metainfo = parse_pose_metainfo(self.skeleton.metainfo())
            steps = steps_after_loading(cfg.test_dataloader.dataset.pipeline, settings.net_resolution)
            self._transform = Compose(steps)
        resizing = [step for step in steps if isinstance(step, ResizeToHeight)]
        self.net_resolution = (resizing[0].width or -1, resizing[0].height or -1) if resizing else None
        if settings.scales is not None:
            self.model.test_cfg['scales'] = settings.scales
        if self.bottom_up:
            codec = self.model.head.decoder
            codec.settings = settings.decoder(codec.settings)
        self._maps = settings.maps or settings.candidates
        if self._maps:
            self.model.test_cfg['output_maps'] = True

    @property
    def stride(self) -> float:
        """Input pixels a cell of the maps."""
        return self.model.head.decoder.stride

    @property
    def settings(self):
        """How the maps are decoded."""
        return self.model.head.decoder.settings

    def prepare(self, image: np.ndarray, boxes: np.ndarray) -> list[Sample]:
        """The test pipeline's inputs of an image, or of each of its boxes (N, 5)."""
        size = image.shape[:2]
        shared = dict(self._metainfo, img=image, img_path='', img_shape=size, ori_shape=size, img_id=0)
        if self.bottom_up:
            inputs = [dict(shared, id=0)]
        else:
            inputs = [
                dict(shared, id=number, category_id=1, bbox=box[None, :4], bbox_score=box[4:].astype(np.float32))
                for number, box in enumerate(boxes)
            ]
        with self._explained():
            packed = map(self._transform, inputs)
            return [Sample(sample['inputs'], sample['data_samples']) for sample in packed]

    def predict(self, samples: Sequence[Sample]) -> list[Found]:
        """What the model finds."""
        batch = pseudo_collate([dict(inputs=sample.inputs, data_samples=sample.known) for sample in samples])
        with torch.inference_mode(), self._explained():
            return list(map(self._found, self.model.test_step(batch)))

    def _found(self, result: PoseDataSample) -> Found:
        instances = result.pred_instances
        scores = _array(instances.bbox_scores) if self.bottom_up else None
        maps = {}
        if self._maps:
            fields = result.pred_fields
            window = Window(tuple(result.input_size), np.array(result.input_scale), np.array(result.input_center))
            heatmaps = np.concatenate([_array(fields.heatmaps), _array(fields.background)])
            maps = dict(heatmaps=heatmaps, pafs=_array(fields.pafs), window=window)
        return Found(_array(instances.keypoints), _array(instances.keypoint_scores), scores, **maps)


def _array(values: np.ndarray | torch.Tensor) -> np.ndarray:
    return np.asarray(values.float().cpu() if isinstance(values, torch.Tensor) else values, np.float32)
