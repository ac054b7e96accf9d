"""The samples that a config's network is fed, one by one, to be looked at."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import set_random_seed
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs
from mmpose.registry import DATASETS, KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import nn

from classicpose.skeletons import skeleton_of

from ..models import DeepPoseCascade
from ..visualization.samples import draw_cascade_sample, draw_sample

ERROR_SPREAD = 0.1
"""Standard deviation along x and y, in torso diameters, of the errors around which a cascade's later stages are shown:
nobody has measured those of the stages before, as training does.
"""


class Browser:
    """The samples of one of a config's data loaders, as images.

    A sample's image shows from left to right, as far as there is such a thing: the network's input with the
    keypoints that the pipeline moved along; the ignored region in red; heatmaps and affinity fields; the keypoints that
    the codec finds in the targets. For a :class:`DeepPoseCascade` it shows the full image with the person's box and,
    of the training data, the crops that each stage would train on, with the joints that count in them.

    Args:
        cfg: a config.
        split: 'train', 'val' or 'test'.

    Raises:
        UserError: when the data are missing or malformed.
    """

    def __init__(self, cfg: Config, split: str) -> None:
        self.dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
        self.skeleton = skeleton_of(self.dataset.metainfo)
        self.codec: BaseKeypointCodec | None = None
        for transform in self.dataset.pipeline.transforms:
            if isinstance(transform, PackPoseInputs):
                transform.pack_transformed = True
            if isinstance(transform, GenerateTarget) and isinstance(transform.encoder, BaseKeypointCodec):
                self.codec = transform.encoder
        self.is_cascade = is_cascade(cfg.model)
        self.stages = cascade_stages(cfg) if self.is_cascade and split == 'train' else []

    def __len__(self) -> int:
        return len(self.dataset)

    def draw(self, index: int, seed: int = 0) -> tuple[str, np.ndarray]:
        """A sample's name, ``<index>_<stem of the image's file>``, and its image.

        The augmentation is drawn from ``seed`` and the index: the same for each call.
        """
        set_random_seed(seed + index)
        sample = self.dataset[index]
        name = f'{index}_{Path(sample["data_samples"].img_path).stem}'
        if self.is_cascade:
            return name, draw_cascade_sample(sample, self.stages, self.skeleton, name)
        return name, draw_sample(sample, self.skeleton, self.codec, name)


def is_cascade(model: Mapping) -> bool:
    """Whether a model's config is of a :class:`DeepPoseCascade`."""
    kind = model.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    return inspect.isclass(kind) and issubclass(kind, DeepPoseCascade)


class _RecordedStage(nn.Module):
    """A head that keeps what it is to learn in ``crops`` (M, 3, n, n) and ``targets``."""

    def __init__(self, decoder: dict) -> None:
        super().__init__()
        self.decoder = KEYPOINT_CODECS.build(decoder)

    def loss(self, crops: Sequence[torch.Tensor], targets: list[PoseDataSample]) -> dict:
        self.crops, self.targets = torch.stack(tuple(crops)), targets
        return {}


def cascade_stages(cfg: Config) -> list[DeepPoseCascade]:
    """The models that a cascade's config trains one after another, with recorders in place of their networks.

    The errors that later stages simulate have a standard deviation of :data:`ERROR_SPREAD`.
    """
    models = []
    for number, settings in enumerate(cfg.get('train_stages') or [{}] * len(cfg.model.stages), start=1):
        trained = copy.deepcopy(cfg)
        trained.model.stages = trained.model.stages[:number]
        trained.merge_from_dict(dict(settings))
        for stage in trained.model.stages:
            head = dict(type=_RecordedStage, decoder=stage.head.decoder)
            stage.update(backbone=dict(type=nn.Identity), neck=None, auxiliary_head=None)
            stage.head = head
        model = MODELS.build(trained.model)
        model.error_covariance += ERROR_SPREAD**2 * torch.eye(2)
        models.append(model)
    return models
