"""The body model that a config is about."""

from __future__ import annotations

import inspect

from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS
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
