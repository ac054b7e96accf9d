"""The body model that a config is about."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, MODELS
from torch import nn

from classicpose.skeletons import Skeleton, get_skeleton, skeleton_of


def find_skeleton(model: nn.Module, cfg: Config) -> Skeleton:
    """The body model of the network, or else of the data it is tested on."""
    for owner in (model, getattr(model, 'head', None)):
        if hasattr(owner, 'skeleton'):
            return owner.skeleton
    dataset = cfg.test_dataloader.dataset
    kind = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    parameter = inspect.signature(kind).parameters.get('skeleton')
    if parameter is not None:
        return get_skeleton(dataset.get('skeleton', parameter.default))
    return skeleton_of(parse_pose_metainfo(dataset.get('metainfo') or kind.METAINFO))


def dataset_meta(cfg: Config) -> dict:
    """The ``meta`` of a checkpoint from which MMPose takes the body model: names, limbs, mirror images, colours."""
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    return plain_dataset_meta(parse_pose_metainfo(find_skeleton(model, cfg).metainfo()))


def plain_dataset_meta(metainfo: Mapping) -> dict:
    """The same of a dataset's parsed ``metainfo``, without NumPy's arrays."""
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in metainfo.items()}
    return dict(dataset_meta=plain)
